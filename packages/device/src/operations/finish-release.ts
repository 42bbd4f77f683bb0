import { AppError } from "@farebox/kit/app-error";
import { inTransaction } from "@farebox/kit/mysql";
import { type Engine, EngineError } from "../docker/engine.ts";
import type { Allocation } from "../domain/allocation.ts";
import { nodeState } from "../domain/device-node.ts";
import { changeAllocation, lockAllocation } from "../store/allocation-store.ts";
import { readNode } from "../store/node-store.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { giveBack } from "./give-back.ts";
import { keepSamples } from "./keep-samples.ts";
import { silentMsMax } from "./place-device.ts";
import { reportUsage } from "./report-usage.ts";
import { tellOwner } from "./tell-owner.ts";

/**
 * Takes a last sample, stops the container, and settles: the last window, with the end of the lease, goes into the outbox in the
 * transaction that ends the allocation. A node that does not answer holds nothing up: the device then ends as it was last
 * seen, and its container is removed when the node is back. Any number of times, by any number of callers.
 */
export async function finishRelease(deps: DeviceDeps, releasing: Allocation): Promise<Allocation> {
  const isReached = await takeDown(deps, releasing);
  const nowMs = deps.clock.nowMs();
  let isMoved = false;
  const ended = await inTransaction(deps.pool, async (tx) => {
    isMoved = false;
    const locked = await lockAllocation(tx, releasing.id);
    if (locked === undefined) throw new AppError("ALLOCATION_NOT_FOUND");
    if (locked.state !== "RELEASING") return locked;
    const endMs = isReached ? (locked.endMs ?? nowMs) : lastSeen(locked, nowMs);
    const reported = await reportUsage(tx, locked, { untilMs: endMs, isLast: true, nowMs });
    // All is reported already; or there may be a lease all the same, whose answer was lost.
    if (reported === locked || locked.leaseId === "") await giveBack(tx, locked, nowMs);
    const change = { state: "RELEASED", endMs } as const;
    await changeAllocation(tx, locked.id, { ...change, dueMs: null });
    const released: Allocation = { ...reported, ...change };
    await tellOwner(tx, "device.released", released, nowMs, {
      duration_seconds: String(Math.floor((endMs - (locked.startMs ?? endMs)) / 1000)),
    });
    isMoved = true;
    return released;
  });
  if (isMoved) deps.events.allocationMoved(ended);
  return ended;
}

/** Whether the container was reached and is gone. */
async function takeDown(deps: DeviceDeps, releasing: Allocation): Promise<boolean> {
  if (releasing.endReason === "NODE_LOST") return false;
  const node = await readNode(deps.pool, releasing.nodeId);
  if (node === undefined) return false;
  // Known to be silent: whoever else waits is not held up by asking.
  if (nodeState(node, deps.clock.nowMs(), silentMsMax(deps)) === "LOST") return false;
  const engine = deps.engines.of(node.engineUrl);
  try {
    await takeLastSample(deps, engine, releasing);
    await engine.stop(releasing.containerId, deps.terms.stopTimeoutMs);
    await engine.remove(releasing.containerId);
    return true;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    deps.events.nodeSilent(node, error);
    // It answered: the device was there until now, and what is left of it is removed later.
    return error.kind === "REFUSED";
  }
}

/** How long after the end a sample still tells of the time before it: a frame, and a call. */
const lateMsMax = 2_000;

/** After the end of the term nothing is counted any more, nor long after any other end. */
async function takeLastSample(
  deps: DeviceDeps,
  engine: Engine,
  { id, containerId, leaseEndMs = 0, endMs = 0, endReason }: Allocation,
): Promise<void> {
  const untilMs = Math.min(leaseEndMs, endMs + lateMsMax);
  if (endReason === "CONTAINER_EXITED" || deps.clock.nowMs() >= untilMs) return;
  const sight = await engine.inspect(containerId);
  if (!sight?.isRunning) return;
  const sample = await engine.sample(containerId);
  const after = await engine.inspect(containerId);
  // Started anew in between: the sample may be of either run, and is given away.
  if (sample === undefined || after?.startedAt !== sight.startedAt) return;
  if (deps.clock.nowMs() >= untilMs) return;
  await keepSamples(deps, [{ allocationId: id, startedAt: sight.startedAt, sample }]);
}

function lastSeen({ startMs, seenMs, endMs }: Allocation, nowMs: number): number {
  return Math.max(startMs ?? nowMs, Math.min(seenMs ?? nowMs, endMs ?? nowMs));
}
