import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { parseId } from "@farebox/kit/ids";
import type { RpcContext } from "@farebox/kit/rpc-context";
import type {
  SettleBatch,
  SettleHello,
  SettleUsageRequest,
  SettleUsageResponseSchema,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { SettleStatus as StatusNumbers } from "@farebox/proto/farebox/billing/v1/usage";
import type { SettleStatus } from "../domain/settle-plan.ts";
import type { DecodedItem } from "../domain/usage-item.ts";
import type { DrainSessionInput } from "../operations/drain-session.ts";
import type { OpenSessionInput } from "../operations/open-session.ts";
import type { SessionKey } from "../store/session-store.ts";
import { createReplyQueue, orAborted, type ReplyQueue } from "./reply-queue.ts";
import type { SettleCodec } from "./settle-codec.ts";
import type { SettleStream, SettleStreams } from "./settle-streams.ts";

export type SettleUsageDeps = {
  readonly clock: Clock;
  readonly leaseValidForMs: number;
  readonly streams: SettleStreams;
  readonly openSession: (input: OpenSessionInput) => Promise<SessionKey>;
  readonly renewSession: (session: SessionKey) => Promise<void>;
  readonly drainSession: (input: DrainSessionInput) => Promise<void>;
  /** Whether the stored session is still this boot's in this epoch. */
  readonly isCurrent: (session: SessionKey) => Promise<boolean>;
  /** Charges items; answers item by item, in order. */
  readonly settleItems: (items: readonly DecodedItem[]) => Promise<readonly SettleStatus[]>;
  readonly itemsOf: SettleCodec["itemsOf"];
};

type Reply = MessageInitShape<typeof SettleUsageResponseSchema>;

/** Messages of one stream that are worked on, or answered but not yet taken, at once. */
const repliesMax = 16;
const itemsMax = 1000;
/** How often a stream that settles looks whether another process has given its gateway a newer epoch. */
const currentCheckMs = 1_000;

/**
 * Serves one gateway's settlement stream: an epoch for its hello, then answers in the order of its messages. No more is
 * read than the bound, so that a slow database slows the gateway's journal down instead of filling memory.
 *
 * A stream whose gateway has a newer boot or was given up ends with EPOCH_STALE. Until then its batches are settled and
 * acknowledged like any other's: usage is always charged, only renewals and grants depend on the epoch. Whatever ends
 * the stream, what was sent and not acknowledged is sent again on the next, and charged once.
 */
export async function* settleUsage(
  deps: SettleUsageDeps,
  messages: AsyncIterable<SettleUsageRequest>,
  ctx: RpcContext,
): AsyncGenerator<Reply, void> {
  const inbox = messages[Symbol.asyncIterator]();
  const session = await deps.openSession(parseHello(await next(inbox, ctx.signal)));
  using stream = deps.streams.enter(session);
  const queue = createReplyQueue<Reply>(repliesMax);
  yield welcome(session.epoch, deps.leaseValidForMs);
  const ended = new AbortController();
  const reading = readMessages({
    deps,
    inbox,
    stream,
    queue,
    signal: AbortSignal.any([ctx.signal, stream.stale, ended.signal]),
  });
  try {
    yield* queue.replies();
  } finally {
    ended.abort();
    await reading;
    await queue.settled();
  }
}

type Reading = {
  readonly deps: SettleUsageDeps;
  readonly inbox: AsyncIterator<SettleUsageRequest>;
  readonly stream: SettleStream;
  readonly queue: ReplyQueue<Reply>;
  readonly signal: AbortSignal;
};

/** Reads until the gateway ends the stream or the signal does. Never rejects: errors end the queue. */
async function readMessages(reading: Reading): Promise<void> {
  const { inbox, queue, signal, stream } = reading;
  const answer = createAnswer(reading.deps, stream);
  try {
    for (;;) {
      await queue.room(signal);
      const message = await next(inbox, signal);
      if (message === undefined) return queue.close();
      queue.add((ahead) => answer(message, ahead));
    }
  } catch (error) {
    queue.close(stream.stale.aborted ? new AppError("EPOCH_STALE") : error);
  }
}

function createAnswer(deps: SettleUsageDeps, stream: SettleStream) {
  const { session } = stream;
  let checkedMs = deps.clock.monotonicMs();
  const noticeTakeOver = async () => {
    const nowMs = deps.clock.monotonicMs();
    if (nowMs - checkedMs < currentCheckMs) return;
    checkedMs = nowMs;
    if (!(await deps.isCurrent(session))) stream.end();
  };
  const settle = async (batch: SettleBatch): Promise<Reply> => {
    if (batch.items.length > itemsMax) throw fieldError("batch.items", "at most 1000 items");
    const settling = deps.settleItems(deps.itemsOf(batch.items));
    const [settled] = await Promise.all([settling, noticeTakeOver()]);
    const statuses = settled.map((status) => StatusNumbers[status]);
    const acknowledgement = { sequence: batch.sequence, statuses };
    return { message: { case: "acknowledgement", value: acknowledgement } };
  };
  return async ({ message }: SettleUsageRequest, ahead: Promise<unknown>): Promise<Reply> => {
    switch (message.case) {
      case "batch":
        return settle(message.value);
      case "renew":
        await deps.renewSession(session);
        return { message: { case: "renewed", value: { sequence: message.value.sequence } } };
      case "drained": {
        await ahead;
        const drainedEpoch = message.value.epoch;
        await deps.drainSession({ session, drainedEpoch });
        return { message: { case: "drained", value: { epoch: drainedEpoch } } };
      }
      case "hello":
        throw fieldError("hello", "is the first message of a stream and no other");
      case undefined:
        throw fieldError("message", "must be set");
    }
  };
}

function parseHello(first: SettleUsageRequest | undefined): OpenSessionInput {
  const hello: SettleHello | undefined =
    first?.message.case === "hello" ? first.message.value : undefined;
  if (hello === undefined) throw fieldError("hello", "must be the first message of the stream");
  const gatewayId = parseId("gtw", hello.gatewayId);
  if (gatewayId === undefined)
    throw fieldError("hello.gateway_id", "must be gtw_ and 32 hex digits");
  if (hello.bootId.length !== 16) throw fieldError("hello.boot_id", "must have 16 bytes");
  return { gatewayId, bootId: Buffer.from(hello.bootId) };
}

function welcome(epoch: bigint, validForMs: number): Reply {
  const validFor = {
    seconds: BigInt(Math.trunc(validForMs / 1000)),
    nanos: (validForMs % 1000) * 1_000_000,
  };
  return { message: { case: "welcome", value: { epoch, validFor } } };
}

async function next(
  inbox: AsyncIterator<SettleUsageRequest>,
  signal: AbortSignal,
): Promise<SettleUsageRequest | undefined> {
  const pending = inbox.next();
  // When the signal wins, nobody waits for the message any more.
  pending.catch(() => undefined);
  const result = await orAborted(pending, signal);
  return result.done === true ? undefined : result.value;
}
