import { claimDueAllocations } from "../store/allocation-store.ts";
import { advanceAllocation } from "./advance-allocation.ts";
import type { DeviceDeps } from "./device-deps.ts";

const batchMax = 100;
const atATime = 16;
const claimMs = 20_000;

/**
 * The janitor: does what is due for allocations that nobody waits for. What a process left half done when it died, terms that are
 * over, reports. Each is claimed, and one that fails holds up no other. Bounded a run, and safe in any number of processes.
 */
export async function advanceDue(deps: DeviceDeps, signal: AbortSignal): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const untilMs = nowMs + claimMs;
  const due = [...(await claimDueAllocations(deps.pool, { nowMs, untilMs, limit: batchMax }))];
  const work = async () => {
    for (let id = due.shift(); id !== undefined && !signal.aborted; id = due.shift()) {
      const putOff = (error: unknown) => deps.events.allocationPutOff(id ?? "", error);
      await advanceAllocation(deps, id, "janitor").catch(putOff);
    }
  };
  await Promise.all(Array.from({ length: atATime }, work));
}
