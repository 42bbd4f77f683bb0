import type Stripe from "stripe";
import { cardOfPayer } from "./card-of-payer.ts";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { createCustomer } from "./keep-customers.ts";
import { keepCard } from "./keep-methods.ts";
import { createSubscription } from "./keep-subscriptions.ts";
import { StripeFault } from "./stripe-fault.ts";
import type { PayWish } from "./take-payment.ts";

/** Pays the first period at a page of `mode=subscription`: the subscription begins when it is paid, and not before. */
export function takeSubscription(
  desk: Desk,
  session: Stripe.Checkout.Session,
  wish: PayWish,
): Stripe.Checkout.Session {
  const { state, say } = desk;
  const outcome = cardOfPayer(session, wish);
  if (outcome.kind === "declines" || outcome.kind === "declines-later" || wish.proves === false) {
    const message = "Your card was declined.";
    throw new StripeFault(402, { type: "card_error", code: "card_declined", message });
  }
  // Its first invoice is charged like every later one, without the payer: this card is never paid that way.
  if (outcome.kind === "always-asks") {
    const message = "This card asks for its payer at every charge: it cannot pay a subscription.";
    throw new StripeFault(402, { type: "card_error", code: "authentication_required", message });
  }
  const named = typeof session.customer === "string" ? session.customer : undefined;
  const customer = named ?? createCustomer(desk, {}).id;
  const method = keepCard(desk, { number: wish.card ?? "", customer });
  const items = state.pageItems.get(session.id) ?? [];
  const metadata = { ...session.metadata };
  const subscription = createSubscription(desk, {
    ...{ customer, metadata, default_payment_method: method.id },
    items: Object.fromEntries(items.entries()),
  });
  const done = keep(state.sessions, {
    ...session,
    ...{ status: "complete" as const, payment_status: "paid" as const, url: null },
    ...{ customer, subscription: subscription.id, invoice: subscription.latest_invoice },
  });
  say("checkout.session.completed", done);
  return done;
}
