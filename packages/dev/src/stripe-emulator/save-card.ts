import type Stripe from "stripe";
import { cardOfPayer } from "./card-of-payer.ts";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { keepCard } from "./keep-methods.ts";
import { makeSetupIntent } from "./make-customer-objects.ts";
import { StripeFault } from "./stripe-fault.ts";
import type { PayWish } from "./take-payment.ts";

/** Saves a card at a page of `mode=setup`. Throws a StripeFault when it is closed or the card declines. */
export function saveCard(
  desk: Desk,
  session: Stripe.Checkout.Session,
  wish: PayWish,
): Stripe.Checkout.Session {
  const { state, say } = desk;
  const outcome = cardOfPayer(session, wish);
  const intent = state.setupIntents.get(String(session.setup_intent)) ?? newIntent(desk, session);
  if (outcome.kind === "declines" || wish.proves === false) {
    const code = outcome.kind === "declines" ? outcome.code : "setup_intent_authentication_failure";
    keep(state.sessions, { ...session, setup_intent: intent.id });
    say("setup_intent.setup_failed", intent);
    const message = "Your card was declined.";
    throw new StripeFault(402, { type: "card_error", code, message });
  }
  const customer = typeof session.customer === "string" ? session.customer : null;
  const method = keepCard(desk, { number: wish.card ?? "", customer });
  const saved = keep(state.setupIntents, {
    ...intent,
    status: "succeeded" as const,
    payment_method: method.id,
  });
  say("setup_intent.succeeded", saved);
  const done = keep(state.sessions, {
    ...session,
    status: "complete" as const,
    setup_intent: intent.id,
    url: null,
  });
  say("checkout.session.completed", done);
  return done;
}

function newIntent({ state }: Desk, session: Stripe.Checkout.Session): Stripe.SetupIntent {
  const customer = typeof session.customer === "string" ? session.customer : null;
  const intent = makeSetupIntent({
    ...{ customer, kinds: session.payment_method_types, created: state.now() },
    metadata: session.metadata ?? {},
  });
  return keep(state.setupIntents, intent);
}
