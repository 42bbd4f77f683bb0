import type Stripe from "stripe";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { makeCharge, makeIntent } from "./make-objects.ts";
import { type Params, textAt, textsAt } from "./read-params.ts";
import { badParam, noSuch, StripeFault } from "./stripe-fault.ts";
import { type CardOutcome, outcomeOf } from "./test-cards.ts";

/** A payment intent, and what the card that it charged does; undefined while nothing was charged. */
export type Charged = {
  readonly intent: Stripe.PaymentIntent;
  readonly outcome: CardOutcome["kind"] | undefined;
};

/** Makes a payment intent as `POST /v1/payment_intents` does, and charges its saved method when it is to be confirmed. */
export function createIntent(desk: Desk, params: Params): Charged {
  const { state, say } = desk;
  const amount = Number(params.amount);
  if (!Number.isInteger(amount) || amount < 1) {
    throw badParam("amount", "Invalid integer.", "parameter_invalid_integer");
  }
  const currency = textAt(params, "currency");
  if (currency === undefined) {
    throw badParam("currency", "Missing required param: currency.", "parameter_missing");
  }
  const customer = textAt(params, "customer") ?? null;
  if (customer !== null && !state.customers.has(customer)) throw noSuch("customer", customer);
  const method = textAt(params, "payment_method") ?? null;
  if (method !== null) requireChargeable(desk, method, customer);
  const intent = keep(state.intents, {
    ...makeIntent({
      ...{ amount, currency, kinds: ["card"], created: state.now() },
      metadata: textsAt(params, "metadata"),
    }),
    customer,
    description: textAt(params, "description") ?? null,
    payment_method: method,
  });
  say("payment_intent.created", intent);
  if (params.confirm !== "true") return { intent, outcome: undefined };
  return confirmIntent(desk, intent.id, params);
}

/** Charges an intent's method. Throws a StripeFault, with the intent, when the card declines or asks for the payer. */
export function confirmIntent(desk: Desk, id: string, params: Params): Charged {
  const { state, say } = desk;
  const intent = requireIntent(desk, id);
  if (intent.status !== "requires_payment_method" && intent.status !== "requires_confirmation") {
    const message = `It is ${intent.status}.`;
    throw badParam("intent", message, "payment_intent_unexpected_state");
  }
  const methodId = textAt(params, "payment_method") ?? intent.payment_method;
  const customer = typeof intent.customer === "string" ? intent.customer : null;
  const method = requireChargeable(desk, String(methodId), customer);
  const outcome = outcomeOf(state.cardNumbers.get(method.id) ?? "") ?? { kind: "pays" };
  const card = { kind: "card", last4: method.card?.last4 ?? "", created: state.now() };
  if (outcome.kind === "declines" || outcome.kind === "declines-later") {
    const { code, declineCode } = outcome;
    return decline(desk, intent, { code, declineCode, card });
  }
  if (outcome.kind === "always-asks") {
    const code = "authentication_required";
    return decline(desk, intent, { code, declineCode: code, card });
  }
  const charge = makeCharge(intent, { ...card, status: "succeeded" });
  keep(state.charges, { ...charge, customer, payment_method: method.id });
  const paid = keep(state.intents, {
    ...intent,
    status: "succeeded" as const,
    amount_received: intent.amount,
    latest_charge: charge.id,
    last_payment_error: null,
    payment_method: method.id,
  });
  say("payment_intent.succeeded", paid);
  return { intent: paid, outcome: outcome.kind };
}

/** Gives an intent up that was not paid. */
export function cancelIntent(desk: Desk, id: string): Stripe.PaymentIntent {
  const { state, say } = desk;
  const intent = requireIntent(desk, id);
  if (intent.status === "succeeded" || intent.status === "canceled") {
    throw badParam("intent", `It is ${intent.status}.`, "payment_intent_unexpected_state");
  }
  const canceled = keep(state.intents, {
    ...intent,
    status: "canceled" as const,
    canceled_at: state.now(),
  });
  say("payment_intent.canceled", canceled);
  return canceled;
}

function decline(
  { state, say }: Desk,
  intent: Stripe.PaymentIntent,
  why: {
    readonly code: string;
    readonly declineCode: string;
    readonly card: { readonly kind: string; readonly last4: string; readonly created: number };
  },
): never {
  const { code, declineCode: decline_code, card } = why;
  const message = "Your card was declined.";
  const charge = makeCharge(intent, { ...card, status: "failed", failureCode: code });
  keep(state.charges, { ...charge, customer: intent.customer });
  const error: Stripe.PaymentIntent.LastPaymentError = {
    ...{ type: "card_error", decline_code, message, charge: charge.id },
    code: code as Stripe.PaymentIntent.LastPaymentError.Code,
  };
  const failed = keep(state.intents, {
    ...intent,
    status: "requires_payment_method" as const,
    latest_charge: charge.id,
    last_payment_error: error,
    payment_method: null,
  });
  say("payment_intent.payment_failed", failed);
  const body = { type: "card_error", code, decline_code, message, payment_intent: failed };
  throw new StripeFault(402, body);
}

function requireIntent({ state }: Desk, id: string): Stripe.PaymentIntent {
  const intent = state.intents.get(id);
  if (intent === undefined) throw noSuch("payment_intent", id);
  return intent;
}

function requireChargeable(
  { state }: Desk,
  id: string,
  customer: string | null,
): Stripe.PaymentMethod {
  const method = state.methods.get(id);
  if (method === undefined) throw noSuch("PaymentMethod", id);
  if (method.customer !== null && method.customer === customer) return method;
  const message =
    method.customer === null
      ? "The payment method was detached from its customer, and may not be used again."
      : "The payment method belongs to another customer.";
  throw badParam("payment_method", message);
}
