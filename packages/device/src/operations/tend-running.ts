import { AppError } from "@farebox/kit/app-error";
import { inTransaction } from "@farebox/kit/mysql";
import type { Allocation } from "../domain/allocation.ts";
import { changeAllocation, lockAllocation, markWarned } from "../store/allocation-store.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { nextDue } from "./next-due.ts";
import { releaseAllocation } from "./release-allocation.ts";
import { reportUsage } from "./report-usage.ts";
import { tellOwner } from "./tell-owner.ts";

/** Does what is due for a running device: ends it, warns of its end, reports what it has used. */
export async function tendRunning(deps: DeviceDeps, running: Allocation): Promise<Allocation> {
  const nowMs = deps.clock.nowMs();
  const isOver = ({ leaseEndMs = 0 }: Allocation) => nowMs >= leaseEndMs;
  const isBroke = ({ stopMs = Infinity }: Allocation) => nowMs >= stopMs;
  if (isOver(running)) return releaseAllocation(deps, running.id, "TERM_ENDED", "", isOver);
  if (isBroke(running)) return releaseAllocation(deps, running.id, "MONEY_ENDED", "", isBroke);
  return inTransaction(deps.pool, async (tx) => {
    const locked = await lockAllocation(tx, running.id);
    if (locked === undefined) throw new AppError("ALLOCATION_NOT_FOUND");
    if (locked.state !== "RUNNING") return locked;
    const { reportedMs = 0, seenMs = 0, leaseEndMs = 0 } = locked;
    const isDue = nowMs >= reportedMs + deps.terms.reportPeriodMs;
    const reported = isDue
      ? await reportUsage(tx, locked, { untilMs: seenMs, isLast: false, nowMs })
      : locked;
    const isEnding = nowMs >= leaseEndMs - deps.terms.warnMs;
    if (isEnding && (await markWarned(tx, locked.id, "term"))) {
      await tellOwner(tx, "device.term_ending", locked, nowMs, {
        lease_end_time: new Date(leaseEndMs).toISOString(),
      });
    }
    const due = nextDue(deps.terms, reported, isEnding);
    // A node that is silent moves nothing on: look again in a while, not at once.
    const soon = due > nowMs ? due : nowMs + deps.terms.tickMs;
    await changeAllocation(tx, locked.id, { dueMs: Math.min(soon, leaseEndMs) });
    return reported;
  });
}
