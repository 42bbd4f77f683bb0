import type { Allocation } from "../domain/allocation.ts";
import type { DeviceTerms } from "./device-deps.ts";

/** When something is next to be done for a running device: its report, the warning before its end, its end. */
export function nextDue(
  { reportPeriodMs, warnMs }: Pick<DeviceTerms, "reportPeriodMs" | "warnMs">,
  allocation: Pick<Allocation, "startMs" | "leaseEndMs" | "reportedMs" | "stopMs">,
  isWarned = false,
): number {
  const { startMs = 0, leaseEndMs = 0, reportedMs = startMs, stopMs = Infinity } = allocation;
  const warning = isWarned ? Infinity : Math.max(startMs, leaseEndMs - warnMs);
  return Math.min(leaseEndMs, stopMs, warning, reportedMs + reportPeriodMs);
}
