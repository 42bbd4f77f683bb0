import type { Job } from "@farebox/kit/start-jobs";
import { countParked } from "./operations/count-parked.ts";
import type { PaymentDeps } from "./operations/payment-deps.ts";
import { reconcile } from "./operations/reconcile.ts";
import { runAutoRecharges } from "./operations/run-auto-recharges.ts";
import { settleDue } from "./operations/settle-due.ts";
import { workEvents } from "./operations/work-events.ts";

const secondMs = 1_000;
/** Webhooks are repeated by Stripe for three days: what is older is compared by hand. */
const reconciledMs = 3 * 86_400_000;

/** The background loops of Payment. Each is bounded, and safe in any number of processes. */
export function createJobs(
  deps: PaymentDeps,
  periods: { readonly reconcileMs: number; readonly autoRechargeMs: number },
): readonly Job[] {
  return [
    { name: "work_events", periodMs: secondMs, run: (signal) => workEvents(deps, signal) },
    { name: "settle_due", periodMs: secondMs, run: (signal) => settleDue(deps, signal) },
    {
      name: "auto_recharge",
      periodMs: Math.min(secondMs, periods.autoRechargeMs),
      run: (signal) => runAutoRecharges(deps, periods.autoRechargeMs, signal),
    },
    { name: "count_parked", periodMs: 60 * secondMs, run: () => countParked(deps) },
    {
      name: "reconcile",
      periodMs: periods.reconcileMs,
      run: async (signal) => {
        await reconcile(deps, deps.clock.nowMs() - reconciledMs, signal);
      },
    },
  ];
}
