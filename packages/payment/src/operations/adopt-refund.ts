import { newUuid } from "@farebox/kit/ids";
import { isDuplicate } from "@farebox/kit/mysql";
import { fromMinor } from "../domain/minor-units.ts";
import type { Payment } from "../domain/payment.ts";
import type { Refund } from "../domain/refund.ts";
import type { RefundReport } from "../providers/payment-provider.ts";
import { insertRefund, moveRefund, readRefund } from "../store/refund-store.ts";
import { advanceRefund, rereadRefund } from "./advance-refund.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { toldPaymentOf } from "./told-payment-of.ts";

/** What came of something that the provider told: done, of something else that is sold, or of nothing that anybody knows. */
export type TakenUp = "DONE" | "FOREIGN" | "UNKNOWN";

/**
 * Takes up what the provider says of a refund: one of ours goes on from there, one that somebody made at the provider's
 * own site is kept as such and reversed, with debt for what is spent. Answers whether it is of a payment of ours.
 * Any number of times: a refund is known by the provider's id. Errors: UNAVAILABLE, PAYMENT_UNAVAILABLE.
 */
export async function adoptRefund(deps: PaymentDeps, report: RefundReport): Promise<TakenUp> {
  const known =
    (await readRefund(deps.pool, { providerRefundId: report.providerRefundId })) ??
    (report.refundId === "" ? undefined : await readRefund(deps.pool, { id: report.refundId }));
  if (known !== undefined) {
    await learnId(deps, known, report);
    await rereadRefund(deps, { ...known, providerRefundId: report.providerRefundId });
    return "DONE";
  }
  const payment = await toldPaymentOf(deps, report.intentId);
  if (payment === undefined) return "UNKNOWN";
  if (payment === "FOREIGN") return "FOREIGN";
  const refund = refundMadeElsewhere(payment, report, deps.clock.nowMs());
  try {
    await insertRefund(deps.pool, refund);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return adoptRefund(deps, report);
  }
  await advanceRefund(deps, refund.id);
  return "DONE";
}

/** A refund of ours whose answer was lost is known to the provider before it is to us. */
async function learnId(deps: PaymentDeps, refund: Refund, report: RefundReport): Promise<void> {
  if (refund.providerRefundId !== "") return;
  const { state, providerRefundId, failureReason } = report;
  const dueMs = deps.clock.nowMs();
  await moveRefund(deps.pool, refund, { state, providerRefundId, failureReason, dueMs });
}

function refundMadeElsewhere(payment: Payment, report: RefundReport, nowMs: number): Refund {
  return {
    id: newUuid().toString("hex"),
    paymentId: payment.id,
    accountId: payment.accountId,
    orderId: payment.orderId,
    requestId: `provider:${report.providerRefundId}`.slice(0, 160),
    amount: fromMinor(report.minor, report.currencyCode),
    currencyCode: report.currencyCode,
    minor: report.minor,
    state: report.state,
    origin: "PROVIDER",
    providerRefundId: report.providerRefundId,
    failureReason: report.failureReason,
    ...{ told: "NOTHING", attempts: 0 },
    createTimeMs: nowMs,
  };
}
