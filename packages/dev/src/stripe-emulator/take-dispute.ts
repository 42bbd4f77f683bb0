import type Stripe from "stripe";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { makeDispute, moveOf } from "./make-dispute.ts";
import { badParam, noSuch } from "./stripe-fault.ts";

/** A payer's bank takes the money of a payment back, all of it or a part. */
export function takeDispute(
  { state, say }: Desk,
  intentId: string,
  amount?: number,
): Stripe.Dispute {
  const charge = state.charges.get(String(state.intents.get(intentId)?.latest_charge));
  if (charge === undefined) throw noSuch("payment_intent", intentId);
  const terms = { amount: amount ?? charge.amount, created: state.now() };
  const dispute = keep(state.disputes, makeDispute(charge, terms));
  keep(state.charges, { ...charge, disputed: true });
  say("charge.dispute.created", dispute);
  say("charge.dispute.funds_withdrawn", dispute);
  return dispute;
}

/** The bank decides: a dispute that is won gives the money back. */
export function closeDispute(
  { state, say }: Desk,
  disputeId: string,
  outcome: "won" | "lost",
): Stripe.Dispute {
  const dispute = state.disputes.get(disputeId);
  const charge = state.charges.get(String(dispute?.charge));
  if (dispute === undefined || charge === undefined) throw noSuch("dispute", disputeId);
  if (dispute.status === "won" || dispute.status === "lost") {
    throw badParam("dispute", "It is closed.");
  }
  const moves = dispute.balance_transactions;
  const back = moveOf(dispute.id, charge, { amount: dispute.amount, created: state.now() });
  const balance_transactions = outcome === "won" ? [...moves, back] : moves;
  const closed = keep(state.disputes, { ...dispute, status: outcome, balance_transactions });
  if (outcome === "won") {
    keep(state.charges, { ...charge, disputed: false });
    say("charge.dispute.funds_reinstated", closed);
  }
  say("charge.dispute.closed", closed);
  return closed;
}
