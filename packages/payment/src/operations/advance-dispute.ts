import { AppError } from "@farebox/kit/app-error";
import { ReversalKind } from "@farebox/proto/farebox/billing/v1/recharge";
import { nextDisputeStep } from "../domain/dispute.ts";
import { fromMinor } from "../domain/minor-units.ts";
import { markDisputeTold, saveDispute } from "../store/dispute-store.ts";
import { readPayment } from "../store/payment-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/**
 * Asks the provider how a dispute stands and tells Billing: withdrawn money is reversed, with debt for what is spent, and
 * reinstated money comes back. Keyed by the dispute's id, so that its events may come twice and in any order. Answers false
 * when it is of no payment of ours. Errors: UNAVAILABLE, PAYMENT_UNAVAILABLE, what Billing refuses.
 */
export async function advanceDispute(deps: PaymentDeps, disputeId: string): Promise<boolean> {
  const answer = await deps.provider.readDispute(disputeId);
  if (answer.kind === "UNKNOWN") throw new AppError("PAYMENT_UNAVAILABLE");
  if (answer.kind === "REFUSED") return false;
  const { intentId, minor, currencyCode, ...report } = answer.value;
  const payment = await readPayment(deps.pool, { intentId });
  if (payment === undefined) return false;
  const { id: paymentId, orderId } = payment;
  const amount = fromMinor(minor, currencyCode);
  const found = { ...report, paymentId, orderId, amount, currencyCode };
  const dispute = await saveDispute(deps.pool, found, deps.clock.nowMs());
  const ids = { paymentOrderId: orderId, reversalId: disputeId };
  const step = nextDisputeStep(dispute);
  if (step === "REVERSE") {
    const money = { amountNanos: amount, currencyCode };
    await deps.billing.reverseRecharge({ ...ids, amount: money, kind: ReversalKind.DISPUTE });
    await markDisputeTold(deps.pool, dispute, "REVERSED");
    deps.events.disputeMoved({ ...dispute, told: "REVERSED" });
  }
  if (step === "RETURN") {
    await deps.billing.reinstateRecharge(ids);
    await markDisputeTold(deps.pool, dispute, "RETURNED");
    deps.events.disputeMoved({ ...dispute, told: "RETURNED" });
  }
  return true;
}
