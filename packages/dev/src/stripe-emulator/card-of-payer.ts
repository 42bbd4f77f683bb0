import type Stripe from "stripe";
import { badParam } from "./stripe-fault.ts";
import type { PayWish } from "./take-payment.ts";
import { type CardOutcome, outcomeOf } from "./test-cards.ts";

/** What a payer's card does at an open page. Throws a StripeFault for a page that is closed and a card that is no test card. */
export function cardOfPayer(session: Stripe.Checkout.Session, wish: PayWish): CardOutcome {
  if (session.status !== "open") throw badParam("session", `The page is ${session.status}.`);
  const outcome = outcomeOf(wish.card ?? "");
  if (outcome !== undefined) return outcome;
  throw badParam("number", "Only test cards can be used here.", "incorrect_number");
}
