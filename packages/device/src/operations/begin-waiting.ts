import { inTransaction, type PoolConnection } from "@farebox/kit/mysql";
import type { Allocation } from "../domain/allocation.ts";
import { nodeState } from "../domain/device-node.ts";
import { holdsUpOthers, queueOrder, type Waiting } from "../domain/queue-order.ts";
import { changeAllocation, lockAllocation, readWaiting } from "../store/allocation-store.ts";
import { lockNode } from "../store/node-store.ts";
import { cancelAllocation } from "./cancel-allocation.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { type Place, placeDevice, silentMsMax } from "./place-device.ts";

/** Waiting ones that are looked at in one turn. */
export const waitingMax = 1_000;

/**
 * Begins what has waited: bookings whose time has come, then whoever waits for room, in their order. Who finds no room lets others
 * past for a while. Safe in any number of processes.
 */
export async function beginWaiting(deps: DeviceDeps, signal: AbortSignal): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const limit = waitingMax;
  const booked = await readWaiting(deps.pool, "BOOKED", { bookedBeforeMs: nowMs, limit });
  for (const booking of booked) {
    if (signal.aborted) return;
    const { bookMs = nowMs, termMs } = booking;
    if (bookMs + termMs <= nowMs) {
      await cancelAllocation(deps, booking.id, "START_FAILED", "its time has passed", "BOOKED");
    } else {
      await placeNow(deps, booking.id);
    }
  }
  const queued = await readWaiting(deps.pool, "QUEUED", { bookedBeforeMs: nowMs, limit });
  const order = queueOrder(
    queued.map((it) => ({ ...asWaiting(it), queueUntilMs: it.queueUntilMs })),
    nowMs,
  );
  for (const waiting of order) {
    if (signal.aborted) return;
    // The janitor tells them that they have waited in vain.
    if ((waiting.queueUntilMs ?? 0) <= nowMs) continue;
    if (!(await placeNow(deps, waiting.id)) && holdsUpOthers(waiting, nowMs)) return;
  }
}

/** Gives a waiting allocation its place; the janitor starts it at once. False when there is none, or somebody else did. */
async function placeNow(deps: DeviceDeps, id: string): Promise<boolean> {
  return inTransaction(deps.pool, async (tx) => {
    const locked = await lockAllocation(tx, id);
    if (locked?.state !== "QUEUED" && locked?.state !== "BOOKED") return false;
    const startMs = deps.clock.nowMs();
    // A booking that begins late ends as booked: what comes after it may be somebody else's.
    const endMs = (locked.bookMs ?? startMs) + locked.termMs;
    const place = await placeFor(deps, tx, locked, { startMs, endMs });
    if (place === undefined) return false;
    await changeAllocation(tx, id, {
      ...{ ...place, placedMs: startMs, leaseEndMs: endMs, dueMs: startMs },
      ...{ state: "PLACED", holdState: "ASKED" },
    });
    return true;
  });
}

/** A booking has its room, unless its node takes no devices any more: then it goes where there is some. */
async function placeFor(
  deps: DeviceDeps,
  tx: PoolConnection,
  { state, nodeId, isTrafficSold, accountId, ask, modes }: Allocation,
  span: { readonly startMs: number; readonly endMs: number },
): Promise<Place | undefined> {
  if (state === "BOOKED") {
    const node = await lockNode(tx, nodeId);
    const nowMs = deps.clock.nowMs();
    const isThere = node && nodeState(node, nowMs, silentMsMax(deps)) === "ACTIVE";
    if (isThere) return { nodeId, isTrafficSold };
  }
  return placeDevice(deps, tx, { accountId, ask, modes, ...span });
}

/** An allocation as the queue orders it. */
export function asWaiting({ id, ask, createMs }: Allocation): Waiting {
  return { id, priority: ask.priority, sinceMs: createMs };
}
