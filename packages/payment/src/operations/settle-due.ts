import { claimPayment, readDuePayments } from "../store/payment-store.ts";
import { claimRefund, readDueRefunds, readRefund } from "../store/refund-store.ts";
import { advancePayment } from "./advance-payment.ts";
import { rereadRefund } from "./advance-refund.ts";
import type { PaymentDeps } from "./payment-deps.ts";

const batchMax = 50;
const claimMs = 60_000;

/**
 * The janitor: does what is due for payments and refunds that nobody waits for. What a process left half done when it died,
 * what a provider did not answer, what a webhook never told. Bounded a run, and safe in any number of processes.
 */
export async function settleDue(deps: PaymentDeps, signal: AbortSignal): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const bounds = { nowMs, limit: batchMax };
  const claim = { nowMs, untilMs: nowMs + claimMs };
  for (const id of await readDuePayments(deps.pool, bounds)) {
    if (signal.aborted) return;
    if (await claimPayment(deps.pool, id, claim)) await advancePayment(deps, id);
  }
  for (const id of await readDueRefunds(deps.pool, bounds)) {
    if (signal.aborted) return;
    if (!(await claimRefund(deps.pool, id, claim))) continue;
    const refund = await readRefund(deps.pool, { id });
    if (refund !== undefined) await rereadRefund(deps, refund).catch(deps.events.refundPutOff);
  }
}
