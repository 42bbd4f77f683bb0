import { AppError } from "@farebox/kit/app-error";
import { inTransaction } from "@farebox/kit/mysql";
import { type Allocation, type EndReason, endOf } from "../domain/allocation.ts";
import { changeAllocation, lockAllocation } from "../store/allocation-store.ts";
import { cancelAllocation } from "./cancel-allocation.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { finishRelease } from "./finish-release.ts";

/** How soon somebody else goes on with a release whose caller has gone. */
const untendedMs = 20_000;
/** A thousand that end at once wait for a connection, rather than being refused. */
const patient = { acquireMsMax: 20_000 } as const;

/**
 * Ends an allocation: one that runs is stopped and settled, one that never ran is cancelled, one that has ended stays as it is.
 * The first reason counts. Billing is told by the outbox and never waited for. Errors: ALLOCATION_NOT_FOUND.
 */
export async function releaseAllocation(
  deps: DeviceDeps,
  id: string,
  reason: EndReason,
  note = "",
  isDue?: (locked: Allocation) => boolean,
): Promise<Allocation> {
  const allocation = await beginRelease(deps, id, { reason, note, isDue, untendedMs });
  switch (allocation.state) {
    case "RELEASING":
      return finishRelease(deps, allocation);
    case "QUEUED":
    case "BOOKED":
    case "PLACED": {
      const cancelled = await cancelAllocation(deps, id, reason, note);
      // It started in between. States move forward only: this happens once.
      const hasStarted = cancelled.state === "RUNNING" || cancelled.state === "RELEASING";
      return hasStarted ? releaseAllocation(deps, id, reason, note) : cancelled;
    }
    default:
      return allocation;
  }
}

/**
 * Says that a running allocation ends, and no more: the janitor takes it down. Anything that does not run stays as it is.
 * Errors: ALLOCATION_NOT_FOUND.
 */
export function beginRelease(
  deps: DeviceDeps,
  id: string,
  of: {
    readonly reason: EndReason;
    readonly note: string;
    /** Asked of the allocation as it is when it is locked: an extension may have come in between. */
    readonly isDue?: ((locked: Allocation) => boolean) | undefined;
    /** For how long the janitor leaves it to the caller. */
    readonly untendedMs?: number;
  },
): Promise<Allocation> {
  const nowMs = deps.clock.nowMs();
  return inTransaction(
    deps.pool,
    async (tx) => {
      const locked = await lockAllocation(tx, id);
      if (locked === undefined) throw new AppError("ALLOCATION_NOT_FOUND");
      if (locked.state !== "RUNNING" || of.isDue?.(locked) === false) return locked;
      const change = {
        state: "RELEASING",
        endReason: of.reason,
        endNote: of.note.slice(0, 255),
        endMs: endOf(locked, of.reason, nowMs),
      } as const;
      await changeAllocation(tx, id, { ...change, dueMs: nowMs + (of.untendedMs ?? 0) });
      return { ...locked, ...change };
    },
    patient,
  );
}
