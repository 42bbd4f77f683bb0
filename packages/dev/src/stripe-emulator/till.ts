import type Stripe from "stripe";
import { type Charged, cancelIntent, confirmIntent, createIntent } from "./charge-method.ts";
import type { Desk } from "./desk.ts";
import { createCustomer, deleteCustomer, updateCustomer } from "./keep-customers.ts";
import { attachMethod, detachMethod, updateMethod } from "./keep-methods.ts";
import type { Params } from "./read-params.ts";
import { saveCard } from "./save-card.ts";
import { noSuch } from "./stripe-fault.ts";
import { closeDispute, takeDispute } from "./take-dispute.ts";
import { expirePage, type PayWish, settlePayment, takePayment } from "./take-payment.ts";
import { endRefund, takeRefund } from "./take-refund.ts";
import { takeSubscription } from "./take-subscription.ts";
import type { CardOutcome } from "./test-cards.ts";

/** What moves money in the emulated Stripe. Every change makes the events that Stripe makes; what cannot be throws a StripeFault. */
export type Till = {
  /** Pays at a page, or saves a card at one of `mode=setup`. */
  pay(sessionId: string, wish: PayWish): Stripe.Checkout.Session;
  settle(sessionId: string, outcome: "succeeded" | "failed"): Stripe.Checkout.Session;
  expire(sessionId: string): Stripe.Checkout.Session;
  /** Ends every page whose time is up. */
  expireDue(): void;
  /** Makes an intent, and charges a saved method at once when `confirm` is true. */
  createIntent(params: Params): Stripe.PaymentIntent;
  confirmIntent(intentId: string, params: Params): Stripe.PaymentIntent;
  cancelIntent(intentId: string): Stripe.PaymentIntent;
  createCustomer(params: Params): Stripe.Customer;
  updateCustomer(customerId: string, params: Params): Stripe.Customer;
  deleteCustomer(customerId: string): Stripe.DeletedCustomer;
  attachMethod(methodId: string, params: Params): Stripe.PaymentMethod;
  detachMethod(methodId: string): Stripe.PaymentMethod;
  updateMethod(methodId: string, params: Params): Stripe.PaymentMethod;
  refund(params: Params): Stripe.Refund;
  endRefund(refundId: string, status: "succeeded" | "failed"): Stripe.Refund;
  dispute(intentId: string, amount?: number): Stripe.Dispute;
  closeDispute(disputeId: string, outcome: "won" | "lost"): Stripe.Dispute;
};

/** Opens the till of a desk. */
export function openTill(desk: Desk): Till {
  const { state } = desk;
  const outcomes = new Map<string, CardOutcome["kind"]>();
  const charged = ({ intent, outcome }: Charged) => {
    if (outcome !== undefined) outcomes.set(String(intent.latest_charge), outcome);
    if (outcome === "disputes") takeDispute(desk, intent.id);
    return intent;
  };
  return {
    pay: (sessionId, wish) => {
      const page = sessionOf(desk, sessionId);
      if (page.mode === "setup") return saveCard(desk, page, wish);
      if (page.mode === "subscription") return takeSubscription(desk, page, wish);
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
    createIntent: (params) => charged(createIntent(desk, params)),
    confirmIntent: (intentId, params) => charged(confirmIntent(desk, intentId, params)),
    cancelIntent: (intentId) => cancelIntent(desk, intentId),
    createCustomer: (params) => createCustomer(desk, params),
    updateCustomer: (customerId, params) => updateCustomer(desk, customerId, params),
    deleteCustomer: (customerId) => deleteCustomer(desk, customerId),
    attachMethod: (methodId, params) => attachMethod(desk, methodId, params),
    detachMethod: (methodId) => detachMethod(desk, methodId),
    updateMethod: (methodId, params) => updateMethod(desk, methodId, params),
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
