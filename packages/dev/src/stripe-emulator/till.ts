import type Stripe from "stripe";
import { type Desk, openDesk } from "./desk.ts";
import type { EmulatedState } from "./emulated-state.ts";
import type { Params } from "./read-params.ts";
import { noSuch } from "./stripe-fault.ts";
import { closeDispute, takeDispute } from "./take-dispute.ts";
import { expirePage, type PayWish, settlePayment, takePayment } from "./take-payment.ts";
import { endRefund, takeRefund } from "./take-refund.ts";
import type { CardOutcome } from "./test-cards.ts";

/** What moves money in the emulated Stripe. Every change makes the events that Stripe makes; what cannot be throws a StripeFault. */
export type Till = {
  pay(sessionId: string, wish: PayWish): Stripe.Checkout.Session;
  settle(sessionId: string, outcome: "succeeded" | "failed"): Stripe.Checkout.Session;
  expire(sessionId: string): Stripe.Checkout.Session;
  /** Ends every page whose time is up. */
  expireDue(): void;
  refund(params: Params): Stripe.Refund;
  endRefund(refundId: string, status: "succeeded" | "failed"): Stripe.Refund;
  dispute(intentId: string, amount?: number): Stripe.Dispute;
  closeDispute(disputeId: string, outcome: "won" | "lost"): Stripe.Dispute;
};

/** Opens the till of a state; `tell` sends its events. */
export function openTill(state: EmulatedState, tell: (event: Stripe.Event) => void): Till {
  const desk = openDesk(state, tell);
  const outcomes = new Map<string, CardOutcome["kind"]>();
  return {
    pay: (sessionId, wish) => {
      const outcome = takePayment(desk, sessionId, wish);
      const session = sessionOf(desk, sessionId);
      const intentId = String(session.payment_intent);
      outcomes.set(String(state.intents.get(intentId)?.latest_charge), outcome);
      if (outcome === "disputes") takeDispute(desk, intentId);
      return session;
    },
    settle: (sessionId, outcome) => settlePayment(desk, sessionId, outcome),
    expire: (sessionId) => expirePage(desk, sessionId),
    expireDue: () => {
      for (const { id, status, expires_at } of state.sessions.values()) {
        if (status === "open" && expires_at <= state.now()) expirePage(desk, id);
      }
    },
    refund: (params) => takeRefund(desk, params, (chargeId) => outcomes.get(chargeId)),
    endRefund: (refundId, status) => endRefund(desk, refundId, status),
    dispute: (intentId, amount) => takeDispute(desk, intentId, amount),
    closeDispute: (disputeId, outcome) => closeDispute(desk, disputeId, outcome),
  };
}

function sessionOf({ state }: Desk, id: string): Stripe.Checkout.Session {
  const session = state.sessions.get(id);
  if (session === undefined) throw noSuch("checkout.session", id);
  return session;
}
