import type { Job } from "@farebox/kit/start-jobs";
import type { Redis } from "ioredis";
import { advanceDue } from "./operations/advance-due.ts";
import { beginWaiting } from "./operations/begin-waiting.ts";
import type { Collector } from "./operations/collect.ts";
import type { DeviceDeps } from "./operations/device-deps.ts";
import { reconcileAllocations } from "./operations/reconcile-allocations.ts";
import { relayEvents } from "./operations/relay-events.ts";
import { relayUsage } from "./operations/relay-usage.ts";
import type { ReportPolicy } from "./operations/report-policy.ts";
import { watchMoney } from "./operations/watch-money.ts";

const hourMs = 3_600_000;

/** The background loops of Device, safe in any number of processes. Each run is bounded, at most by what runs on the nodes. */
export function createJobs(
  deps: DeviceDeps & { readonly policy: ReportPolicy; readonly redis: Redis },
  collector: Collector,
): readonly Job[] {
  const { tickMs } = deps.terms;
  const lastDenied = new Map<string, number>();
  const quickMs = Math.min(500, tickMs);
  return [
    { name: "claim_nodes", periodMs: quickMs, run: () => collector.claim() },
    { name: "advance_due", periodMs: quickMs, run: (signal) => advanceDue(deps, signal) },
    { name: "begin_waiting", periodMs: quickMs, run: (signal) => beginWaiting(deps, signal) },
    {
      name: "watch_money",
      periodMs: tickMs,
      run: (signal) => watchMoney(deps, lastDenied, signal),
    },
    { name: "relay_usage", periodMs: quickMs, run: (signal) => relayUsage(deps, signal) },
    { name: "relay_events", periodMs: quickMs, run: (signal) => relayEvents(deps, signal) },
    {
      name: "reconcile",
      periodMs: hourMs,
      run: async (signal) => {
        await reconcileAllocations(deps, deps.clock.nowMs() - 24 * hourMs, signal);
      },
    },
  ];
}
