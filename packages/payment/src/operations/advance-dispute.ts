import { AppError } from "@farebox/kit/app-error";
import { ReversalKind } from "@farebox/proto/farebox/billing/v1/recharge";
import { type Dispute, nextDisputeStep } from "../domain/dispute.ts";
import { fromMinor } from "../domain/minor-units.ts";
import { markDisputeTold, saveDispute } from "../store/dispute-store.ts";
import type { TakenUp } from "./adopt-refund.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { toldPaymentOf } from "./told-payment-of.ts";

/** More steps than any dispute has. */
const stepsMax = 6;

/**
 * Asks the provider how a dispute stands and tells Billing: withdrawn money is reversed, with debt for what is spent, and
 * reinstated money comes back. Keyed by the dispute's id, so that its events may come twice and in any order. Answers false
 * when it is of no payment of ours. Errors: UNAVAILABLE, PAYMENT_UNAVAILABLE, what Billing refuses.
 */
export async function advanceDispute(deps: PaymentDeps, disputeId: string): Promise<TakenUp> {
  const answer = await deps.provider.readDispute(disputeId);
  if (answer.kind === "UNKNOWN") throw new AppError("PAYMENT_UNAVAILABLE");
  if (answer.kind === "REFUSED") return "UNKNOWN";
  const { intentId, minor, currencyCode, ...report } = answer.value;
  const payment = await toldPaymentOf(deps, intentId);
  if (payment === undefined) return "UNKNOWN";
  if (payment === "FOREIGN") return "FOREIGN";
  const { id: paymentId, orderId } = payment;
  const amount = fromMinor(minor, currencyCode);
  const found = { ...report, paymentId, orderId, amount, currencyCode };
  for (let steps = 0; steps < stepsMax; steps += 1) {
    const dispute = await saveDispute(deps.pool, found, deps.clock.nowMs());
    const step = nextDisputeStep(dispute);
    if (step === "REST") return "DONE";
    await tell(deps, dispute, step);
  }
  throw new AppError("UNAVAILABLE");
}

async function tell(
  deps: PaymentDeps,
  dispute: Dispute,
  step: "REVERSE" | "RETURN",
): Promise<void> {
  const { billing, pool } = deps;
  const ids = { paymentOrderId: dispute.orderId, reversalId: dispute.id };
  const amount = { amountNanos: dispute.amount, currencyCode: dispute.currencyCode };
  const reversal = { ...ids, amount, kind: ReversalKind.DISPUTE };
  // Noted first: one that is won before the answer is noted must still be given back.
  if (dispute.told === "NOTHING") await markDisputeTold(pool, dispute, "TAKING");
  const taking: Dispute = dispute.told === "NOTHING" ? { ...dispute, told: "TAKING" } : dispute;
  if (taking.told === "TAKING") await billing.reverseRecharge(reversal);
  if (step === "RETURN") await billing.reinstateRecharge(ids);
  const told = step === "RETURN" ? "RETURNED" : "REVERSED";
  await markDisputeTold(pool, taking, told);
  deps.events.disputeMoved({ ...dispute, told });
}
