import { AppError } from "@farebox/kit/app-error";
import { inTransaction } from "@farebox/kit/mysql";
import {
  type Allocation,
  type AllocationState,
  type EndReason,
  mayBecome,
} from "../domain/allocation.ts";
import { changeAllocation, lockAllocation } from "../store/allocation-store.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { giveBack } from "./give-back.ts";
import { tellOwner } from "./tell-owner.ts";

/**
 * Ends an allocation that never ran. Nothing is billed; what was held, or may have been, is given back by the outbox, and a
 * container that was made after all is removed by the next look at its node. One that runs or has ended stays as it is.
 */
export async function cancelAllocation(
  deps: Pick<DeviceDeps, "pool" | "clock" | "events">,
  id: string,
  reason: EndReason,
  note: string,
  /** Only when it is in this state; in any by default. */
  from?: AllocationState,
): Promise<Allocation> {
  const nowMs = deps.clock.nowMs();
  let isMoved = false;
  const ended = await inTransaction(deps.pool, async (tx) => {
    isMoved = false;
    const locked = await lockAllocation(tx, id);
    if (locked === undefined) throw new AppError("ALLOCATION_NOT_FOUND");
    if (!mayBecome(locked.state, "CANCELLED")) return locked;
    if (from !== undefined && locked.state !== from) return locked;
    const change = {
      state: "CANCELLED",
      endReason: reason,
      endNote: note.slice(0, 255),
      endMs: nowMs,
    } as const;
    await changeAllocation(tx, id, { ...change, dueMs: null });
    await giveBack(tx, locked, nowMs);
    const cancelled: Allocation = { ...locked, ...change };
    await tellOwner(tx, "device.cancelled", cancelled, nowMs);
    isMoved = true;
    return cancelled;
  });
  if (isMoved) deps.events.allocationMoved(ended);
  return ended;
}
