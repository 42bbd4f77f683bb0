import type Stripe from "stripe";
import type { PaymentReport } from "../../domain/payment.ts";
import { type DisputeReport, kindOf, type RefundReport } from "../payment-provider.ts";

/** What a Checkout Session with its payment intent says. */
export function reportOfSession(session: Stripe.Checkout.Session): PaymentReport {
  const intent = typeof session.payment_intent === "object" ? session.payment_intent : null;
  const charge = typeof intent?.latest_charge === "object" ? intent.latest_charge : null;
  return {
    state: stateOfSession(session, intent),
    sessionId: session.id,
    intentId: idOf(session.payment_intent),
    method: kindOf(charge?.payment_method_details?.type),
    isTest: !session.livemode,
    paymentUrl: session.url ?? "",
    declineCode: declineOf(intent),
    minor: BigInt(session.amount_total ?? 0),
    currencyCode: (session.currency ?? "").toUpperCase(),
  };
}

/** What a payment intent without a page says: a charge of a saved method. Nobody is there to do what it may still ask for. */
export function reportOfIntent(intent: Stripe.PaymentIntent): PaymentReport {
  const charge = typeof intent.latest_charge === "object" ? intent.latest_charge : null;
  const states: Readonly<Record<string, PaymentReport["state"]>> = {
    succeeded: "PAID",
    processing: "PENDING",
  };
  return {
    state: states[intent.status] ?? "FAILED",
    sessionId: "",
    intentId: intent.id,
    method: kindOf(charge?.payment_method_details?.type),
    isTest: !intent.livemode,
    paymentUrl: "",
    declineCode: declineOf(intent),
    minor: BigInt(intent.amount_received),
    currencyCode: intent.currency.toUpperCase(),
  };
}

/** A method that takes its time completes the session first and pays or fails later. */
function stateOfSession(
  session: Stripe.Checkout.Session,
  intent: Stripe.PaymentIntent | null,
): PaymentReport["state"] {
  if (session.payment_status === "paid") return "PAID";
  if (session.status === "expired") return "EXPIRED";
  if (session.status !== "complete") return "PENDING";
  const hasFailed = intent?.status === "requires_payment_method" || intent?.status === "canceled";
  return hasFailed ? "FAILED" : "PENDING";
}

function declineOf(intent: Stripe.PaymentIntent | null): string {
  const error = intent?.last_payment_error;
  return (error?.decline_code ?? error?.code ?? "").slice(0, 64);
}

/** What a refund says. "requires_action" still waits for somebody; "canceled" did not happen. */
export function reportOfRefund(refund: Stripe.Refund): RefundReport {
  const hasFailed = refund.status === "failed" || refund.status === "canceled";
  return {
    state: hasFailed ? "FAILED" : refund.status === "succeeded" ? "SUCCEEDED" : "PENDING",
    providerRefundId: refund.id,
    failureReason: hasFailed ? (refund.failure_reason ?? refund.status ?? "failed") : "",
    intentId: idOf(refund.payment_intent),
    refundId: hexOf(refund.metadata?.refund_id, "rfd_"),
    minor: BigInt(refund.amount),
    currencyCode: refund.currency.toUpperCase(),
  };
}

/** What a dispute says. Its balance transactions tell what was really taken and given back; an inquiry has none. */
export function reportOfDispute(dispute: Stripe.Dispute): DisputeReport {
  const moves = dispute.balance_transactions;
  return {
    id: dispute.id,
    intentId: idOf(dispute.payment_intent),
    minor: BigInt(dispute.amount),
    currencyCode: dispute.currency.toUpperCase(),
    isWithdrawn: moves.some(({ amount }) => amount < 0),
    isReinstated: moves.some(({ amount }) => amount > 0),
  };
}

/** The id of something that may be expanded. */
export function idOf(value: string | { readonly id: string } | null | undefined): string {
  return typeof value === "string" ? value : (value?.id ?? "");
}

/** Our own id in metadata as 32 hex digits; empty when there is none. */
export function hexOf(text: string | undefined, prefix: string): string {
  const hex = text?.startsWith(prefix) ? text.slice(prefix.length) : "";
  return /^[0-9a-f]{32}$/.test(hex) ? hex : "";
}
