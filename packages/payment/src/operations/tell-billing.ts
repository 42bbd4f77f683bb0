import { isRefusal } from "@farebox/kit/app-error";
import { RechargeState } from "@farebox/proto/farebox/billing/v1/recharge";
import { retryDelayMs } from "../domain/patience.ts";
import type { Payment } from "../domain/payment.ts";
import { markTold, postponePayment } from "../store/payment-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/**
 * Tells Billing how a payment ended, which credits the order or ends it, and is the only way that anything is credited. Any
 * number of times: Billing credits an order once. While Billing does not answer it is put off, and done later.
 */
export async function tellBilling(deps: PaymentDeps, payment: Payment): Promise<void> {
  const paymentId = `pay_${payment.id}`;
  const ids = { paymentOrderId: payment.orderId, paymentId };
  try {
    switch (payment.state) {
      case "PAID":
      case "PARKED": {
        // What arrived otherwise than asked is kept with the order, for the person who decides.
        const { order } = await deps.billing.confirmRecharge({ ...ids, amount: moneyOf(payment) });
        const isParked = order?.state === RechargeState.PARKED;
        if (isParked) deps.events.paymentParked(payment, "the order is parked");
        break;
      }
      case "FAILED":
        await deps.billing.cancelRecharge(ids);
        break;
      case "EXPIRED":
        // Billing ends the order by itself; money that came after all would be credited.
        break;
      default:
        return;
    }
  } catch (error) {
    if (!isRefusal(error)) {
      await postponePayment(
        deps.pool,
        payment,
        deps.clock.nowMs() + retryDelayMs(payment.attempts),
      );
      return;
    }
    // Nothing was collected for a payment that ended without money: an order that ended otherwise is none of its business.
    const hasMoney = payment.state === "PAID" || payment.state === "PARKED";
    if (hasMoney) deps.events.paymentParked(payment, error.reason);
  }
  await markTold(deps.pool, payment);
  deps.events.paymentMoved(payment);
}

/** What arrived. */
function moneyOf(payment: Payment) {
  const { amount, currencyCode, arrived, arrivedCurrency } = payment;
  if (arrived === undefined) return { amountNanos: amount, currencyCode };
  return { amountNanos: arrived, currencyCode: arrivedCurrency };
}
