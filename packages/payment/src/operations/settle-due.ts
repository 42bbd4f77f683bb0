import { claimDueMethods } from "../store/method-store.ts";
import { claimPayment, readDuePayments } from "../store/payment-store.ts";
import { claimRefund, readDueRefunds, readRefund } from "../store/refund-store.ts";
import { claimDueSetups } from "../store/setup-store.ts";
import { advancePayment } from "./advance-payment.ts";
import { rereadRefund } from "./advance-refund.ts";
import { advanceSetup } from "./advance-setup.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { forgetMethod } from "./remove-payment-method.ts";

const batchMax = 50;
const claimMs = 30_000;

/**
 * The janitor: does what is due for payments, refunds and saved methods that nobody waits for. What a process left half done when it died,
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
  const claims = { ...claim, limit: batchMax };
  for (const id of await claimDueSetups(deps.pool, claims)) {
    if (signal.aborted) return;
    await advanceSetup(deps, id).catch(deps.events.setupPutOff);
  }
  for (const method of await claimDueMethods(deps.pool, claims)) {
    if (signal.aborted) return;
    await forgetMethod(deps, method);
  }
}
