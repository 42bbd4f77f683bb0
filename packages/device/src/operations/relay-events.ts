import type { Redis } from "ioredis";
import { forgetEvents, readEvents } from "../store/event-store.ts";
import type { DeviceDeps } from "./device-deps.ts";

/** The stream that all of Farebox's events of devices go to. */
export const eventStream = "farebox:events:device";

const batchMax = 200;
/** What nobody read by then is gone; the books do not depend on it. */
const eventsKept = 100_000;

/**
 * Sends what the outbox holds to Redis, in its order, at least once: who listens knows an event that comes twice by its `event_id`.
 * While Redis is away the outbox keeps everything.
 */
export async function relayEvents(
  { pool, redis }: Pick<DeviceDeps, "pool"> & { readonly redis: Redis },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const events = await readEvents(pool, batchMax);
    if (events.length === 0 || redis.status !== "ready") return;
    const pipeline = redis.pipeline();
    for (const event of events) {
      pipeline.xadd(
        ...([eventStream, "MAXLEN", "~", eventsKept, "*", "event_id", event.eventId] as const),
        ...["type", event.type, "account_id", event.accountId, "subject_id", event.subjectId],
        ...["create_time", new Date(event.createMs).toISOString()],
        ...["payload", JSON.stringify(event.payload)],
      );
    }
    const answers = (await pipeline.exec()) ?? [];
    // What came before the first failure is told; the rest keeps its order.
    const failed = answers.findIndex(([error]) => error !== null);
    const told = failed === -1 ? events.slice(0, answers.length) : events.slice(0, failed);
    await forgetEvents(
      pool,
      told.map(({ id }) => id),
    );
    if (told.length < events.length) return;
  }
}
