import type Stripe from "stripe";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { makeCharge, makeIntent } from "./make-objects.ts";
import { badParam, noSuch, StripeFault } from "./stripe-fault.ts";
import { type CardOutcome, outcomeOf } from "./test-cards.ts";

/** How a payer pays at a page. */
export type PayWish = {
  /** card, alipay or wechat_pay. */
  readonly kind: string;
  readonly card?: string;
  /** Whether the payer proves who they are when the card asks; by default they do. */
  readonly proves?: boolean;
  /** Whether a wallet's money arrives later, by `settlePayment`. */
  readonly isLate?: boolean;
};

/** Pays at a page. Throws a StripeFault when it is closed or the card declines. Answers what the card then does. */
export function takePayment(desk: Desk, sessionId: string, wish: PayWish): CardOutcome["kind"] {
  const { state, say } = desk;
  const session = requireSession(desk, sessionId);
  if (session.status !== "open") throw badParam("session", `The page is ${session.status}.`);
  if (!session.payment_method_types.includes(wish.kind)) {
    throw badParam("payment_method", `${wish.kind} is not offered.`);
  }
  const intent = intentOf(desk, session);
  const outcome = outcomeFor(wish);
  if (outcome.kind === "declines" || outcome.kind === "declines-later") {
    return decline(desk, { session, intent, why: outcome });
  }
  const asks = outcome.kind === "asks" || outcome.kind === "always-asks";
  if (asks && wish.proves === false) {
    const code = "payment_intent_authentication_failure";
    const why = { code, declineCode: "authentication_required" };
    return decline(desk, { session, intent, why });
  }
  const last4 = (wish.card ?? "").replace(/\s/g, "").slice(-4);
  const facts = { kind: wish.kind, last4, created: state.now() };
  const status = wish.isLate ? "pending" : "succeeded";
  const charge = keep(state.charges, makeCharge(intent, { ...facts, status }));
  if (wish.isLate) {
    keep(state.intents, { ...intent, status: "processing", latest_charge: charge.id });
    const waiting = { status: "complete", payment_intent: intent.id, url: null } as const;
    say("checkout.session.completed", keep(state.sessions, { ...session, ...waiting }));
    return outcome.kind;
  }
  say("checkout.session.completed", succeed(desk, { session, intent, chargeId: charge.id }));
  return outcome.kind;
}

/** Ends a payment whose money was to arrive later. */
export function settlePayment(
  desk: Desk,
  sessionId: string,
  outcome: "succeeded" | "failed",
): Stripe.Checkout.Session {
  const { state, say } = desk;
  const session = requireSession(desk, sessionId);
  const intent = intentOf(desk, session);
  const charge = state.charges.get(String(intent.latest_charge));
  if (intent.status !== "processing" || charge === undefined) {
    throw badParam("session", "Nothing is under way.");
  }
  if (outcome === "succeeded") {
    const captured = { captured: true, amount_captured: charge.amount, paid: true };
    keep(state.charges, { ...charge, ...captured, status: "succeeded" });
    const paid = succeed(desk, { session, intent, chargeId: charge.id });
    say("checkout.session.async_payment_succeeded", paid);
    return paid;
  }
  keep(state.charges, { ...charge, status: "failed", failure_code: "payment_declined" });
  const failed = keep(state.intents, { ...intent, status: "requires_payment_method" });
  say("payment_intent.payment_failed", failed);
  say("checkout.session.async_payment_failed", session);
  return session;
}

/** Closes a page that was not paid. */
export function expirePage(desk: Desk, sessionId: string): Stripe.Checkout.Session {
  const session = requireSession(desk, sessionId);
  if (session.status !== "open") throw badParam("session", `The page is ${session.status}.`);
  const expired = keep(desk.state.sessions, { ...session, status: "expired", url: null });
  desk.say("checkout.session.expired", expired);
  return expired;
}

function outcomeFor({ kind, card }: PayWish): CardOutcome {
  const outcome: CardOutcome | undefined =
    kind === "card" ? outcomeOf(card ?? "") : { kind: "pays" };
  if (outcome !== undefined) return outcome;
  throw badParam("number", "Only test cards can be used here.", "incorrect_number");
}

function succeed(
  { state, say }: Desk,
  of: {
    readonly session: Stripe.Checkout.Session;
    readonly intent: Stripe.PaymentIntent;
    readonly chargeId: string;
  },
): Stripe.Checkout.Session {
  const paid = keep(state.intents, {
    ...of.intent,
    status: "succeeded",
    amount_received: of.intent.amount,
    latest_charge: of.chargeId,
    last_payment_error: null,
  });
  const done = keep(state.sessions, {
    ...of.session,
    status: "complete",
    payment_status: "paid",
    payment_intent: of.intent.id,
    url: null,
  });
  say("payment_intent.succeeded", paid);
  return done;
}

function decline(
  { state, say }: Desk,
  of: {
    readonly session: Stripe.Checkout.Session;
    readonly intent: Stripe.PaymentIntent;
    readonly why: { readonly code: string; readonly declineCode: string };
  },
): never {
  const message = "Your card was declined.";
  const { code, declineCode: decline_code } = of.why;
  const error: Stripe.PaymentIntent.LastPaymentError = {
    ...{ type: "card_error", decline_code, message },
    code: code as Stripe.PaymentIntent.LastPaymentError.Code,
  };
  const failed = keep(state.intents, { ...of.intent, last_payment_error: error });
  keep(state.sessions, { ...of.session, payment_intent: of.intent.id });
  say("payment_intent.payment_failed", failed);
  throw new StripeFault(402, { type: "card_error", code, decline_code, message });
}

function requireSession({ state }: Desk, id: string): Stripe.Checkout.Session {
  const session = state.sessions.get(id);
  if (session === undefined) throw noSuch("checkout.session", id);
  return session;
}

function intentOf({ state }: Desk, session: Stripe.Checkout.Session): Stripe.PaymentIntent {
  const known = state.intents.get(String(session.payment_intent));
  if (known !== undefined) return known;
  const intent = makeIntent({
    amount: session.amount_total ?? 0,
    currency: session.currency ?? "usd",
    kinds: session.payment_method_types,
    created: state.now(),
    metadata: session.metadata ?? {},
  });
  return keep(state.intents, { ...intent, customer: session.customer });
}
