import { inTransaction } from "@farebox/kit/mysql";
import type { Allocation } from "../domain/allocation.ts";
import { holdsUpOthers, queueOrder } from "../domain/queue-order.ts";
import { changeAllocation, lockAllocation, readWaiting } from "../store/allocation-store.ts";
import { advanceAllocation } from "./advance-allocation.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { placeDevice } from "./place-device.ts";

const turnsMax = 1_000;

/**
 * Begins what has waited: bookings whose time has come, then whoever waits for room, in their order. Who finds no room lets others
 * past for a while. Safe in any number of processes.
 */
export async function beginWaiting(deps: DeviceDeps, signal: AbortSignal): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const limit = turnsMax;
  const booked = await readWaiting(deps.pool, "BOOKED", { bookedBeforeMs: nowMs, limit });
  for (const booking of booked) {
    if (signal.aborted) return;
    if (await placeNow(deps, booking.id)) start(deps, booking.id);
  }
  const queued = await readWaiting(deps.pool, "QUEUED", { bookedBeforeMs: nowMs, limit });
  const order = queueOrder(
    queued.map((it) => ({ ...it, priority: it.ask.priority, sinceMs: it.createMs })),
    nowMs,
  );
  for (const waiting of order) {
    if (signal.aborted) return;
    // The janitor tells them that they have waited in vain.
    if ((waiting.queueUntilMs ?? 0) <= nowMs) continue;
    if (await placeNow(deps, waiting.id)) start(deps, waiting.id);
    else if (holdsUpOthers(waiting, nowMs)) return;
  }
}

/** Gives a waiting allocation its place. False when there is none, or somebody else did. */
async function placeNow(deps: DeviceDeps, id: string): Promise<boolean> {
  return inTransaction(deps.pool, async (tx) => {
    const locked = await lockAllocation(tx, id);
    if (locked?.state !== "QUEUED" && locked?.state !== "BOOKED") return false;
    const startMs = deps.clock.nowMs();
    // A booking that begins late ends as booked: what comes after it may be somebody else's.
    const endMs = (locked.bookMs ?? startMs) + locked.termMs;
    const nodeId = await nodeFor(deps, tx, locked, { startMs, endMs });
    if (nodeId === undefined) return false;
    await changeAllocation(tx, id, {
      ...{ nodeId, placedMs: startMs, leaseEndMs: endMs, dueMs: startMs },
      ...{ state: "PLACED", holdState: "ASKED" },
    });
    return true;
  });
}

/** A booking has its room already. */
function nodeFor(
  deps: DeviceDeps,
  tx: Parameters<typeof placeDevice>[1],
  { state, nodeId, accountId, ask, modes }: Allocation,
  span: { readonly startMs: number; readonly endMs: number },
): Promise<string | undefined> {
  if (state === "BOOKED") return Promise.resolve(nodeId);
  return placeDevice(deps, tx, { accountId, ask, modes, ...span });
}

/** Goes on at once; the janitor does should this fail. Ends before the process does, or is repeated by the next one. */
function start(deps: DeviceDeps, id: string): void {
  advanceAllocation(deps, id, "janitor").catch((error: unknown) =>
    deps.events.allocationPutOff(id, error),
  );
}
