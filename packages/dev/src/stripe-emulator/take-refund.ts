import type Stripe from "stripe";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { makeRefund } from "./make-objects.ts";
import { type Params, textsAt } from "./read-params.ts";
import { badParam, noSuch } from "./stripe-fault.ts";
import type { CardOutcome } from "./test-cards.ts";

/** Pays a charge back, all that is left of it or a part. What the card of the charge does decides how the refund goes on. */
export function takeRefund(
  desk: Desk,
  params: Params,
  outcomeOfCharge: (chargeId: string) => CardOutcome["kind"] | undefined,
): Stripe.Refund {
  const { state, say } = desk;
  const intent = state.intents.get(String(params.payment_intent));
  const charge = state.charges.get(String(params.charge ?? intent?.latest_charge));
  if (charge === undefined) throw noSuch("payment_intent", String(params.payment_intent));
  const amount = amountOf(charge, params);
  const outcome = outcomeOfCharge(charge.id);
  const refund = keep(
    state.refunds,
    makeRefund(charge, {
      amount,
      metadata: textsAt(params, "metadata"),
      created: state.now(),
      reason: null,
      status: outcome === "refund-waits" ? "pending" : "succeeded",
    }),
  );
  const amount_refunded = charge.amount_refunded + amount;
  const refunded = amount_refunded === charge.amount;
  say("refund.created", refund);
  say("charge.refunded", keep(state.charges, { ...charge, amount_refunded, refunded }));
  return outcome === "refund-fails" ? endRefund(desk, refund.id, "failed") : refund;
}

function amountOf(charge: Stripe.Charge, params: Params): number {
  if (!charge.paid) throw badParam("payment_intent", "It was not paid.", "charge_not_refundable");
  const left = charge.amount - charge.amount_refunded;
  const amount = params.amount === undefined ? left : Number(params.amount);
  if (left === 0) throw badParam("charge", "It has been refunded.", "charge_already_refunded");
  if (!Number.isInteger(amount) || amount <= 0) {
    throw badParam("amount", "Invalid integer.", "parameter_invalid_integer");
  }
  if (amount > left) throw badParam("amount", `Only ${left} are left.`, "amount_too_large");
  if (charge.disputed) throw badParam("charge", "It is disputed.", "charge_disputed");
  return amount;
}

/** Says how a refund ended that waited, or that had succeeded and came back from the payer's bank. */
export function endRefund(
  { state, say }: Desk,
  refundId: string,
  status: "succeeded" | "failed",
): Stripe.Refund {
  const refund = state.refunds.get(refundId);
  if (refund === undefined) throw noSuch("refund", refundId);
  if (refund.status === "failed") throw badParam("refund", "It has failed.");
  const reason = status === "failed" ? { failure_reason: "lost_or_stolen_card" } : {};
  const ended = keep(state.refunds, { ...refund, status, ...reason });
  const charge = state.charges.get(String(refund.charge));
  if (status === "failed" && charge !== undefined) {
    const amount_refunded = charge.amount_refunded - refund.amount;
    keep(state.charges, { ...charge, amount_refunded, refunded: false });
    say("refund.failed", ended);
  }
  say("refund.updated", ended);
  return ended;
}
