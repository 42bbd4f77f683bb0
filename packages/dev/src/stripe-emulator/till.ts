import type Stripe from "stripe";
import { type EmulatedState, emulatedVersion, keep, newStripeId } from "./emulated-state.ts";
import { makeDispute, moveOf } from "./make-dispute.ts";
import { makeCharge, makeIntent, makeRefund } from "./make-objects.ts";
import { badParam, noSuch, StripeFault } from "./stripe-fault.ts";
import { outcomeOf } from "./test-cards.ts";

/** How a payer pays at a page. */
export type PayWish = {
  /** card, alipay or wechat_pay. */
  readonly kind: string;
  readonly card?: string;
  /** Whether the payer proves who they are when the card asks; by default they do. */
  readonly proves?: boolean;
  /** Whether a wallet's money arrives later, by `settle`. */
  readonly isLate?: boolean;
};

/** What moves money in the emulated Stripe. Every change makes the events that Stripe makes. */
export type Till = {
  /** Throws a StripeFault when the page is closed or the card declines. */
  pay(sessionId: string, wish: PayWish): Stripe.Checkout.Session;
  /** Ends a late payment. */
  settle(sessionId: string, outcome: "succeeded" | "failed"): Stripe.Checkout.Session;
  expire(sessionId: string): Stripe.Checkout.Session;
  /** Ends every page whose time is up. */
  expireDue(): void;
  refund(params: Readonly<Record<string, unknown>>): Stripe.Refund;
  /** Says how a refund ended that waits, or that had succeeded and came back. */
  endRefund(refundId: string, status: "succeeded" | "failed"): Stripe.Refund;
  dispute(intentId: string, amount?: number): Stripe.Dispute;
  closeDispute(disputeId: string, outcome: "won" | "lost"): Stripe.Dispute;
};

/** Opens the till of a state; `tell` sends its events. */
export function openTill(state: EmulatedState, tell: (event: Stripe.Event) => void): Till {
  const say = (type: string, object: object) => {
    const event = {
      id: newStripeId("evt"),
      object: "event",
      api_version: emulatedVersion,
      created: state.now(),
      data: { object: structuredClone(object) },
      livemode: false,
      pending_webhooks: 1,
      request: { id: null, idempotency_key: null },
      type,
    } as unknown as Stripe.Event;
    keep(state.events, event);
    tell(event);
  };
  const refundOutcomes = new Map<string, string>();

  const succeed = (
    session: Stripe.Checkout.Session,
    intent: Stripe.PaymentIntent,
    chargeId: string,
  ) => {
    const paid = keep(state.intents, {
      ...intent,
      status: "succeeded",
      amount_received: intent.amount,
      latest_charge: chargeId,
      last_payment_error: null,
    });
    const done = keep(state.sessions, {
      ...session,
      status: "complete",
      payment_status: "paid",
      payment_intent: intent.id,
      url: null,
    });
    say("payment_intent.succeeded", paid);
    return done;
  };

  const decline = (
    session: Stripe.Checkout.Session,
    intent: Stripe.PaymentIntent,
    why: { readonly code: string; readonly declineCode: string },
  ): never => {
    const error = { type: "card_error", code: why.code, decline_code: why.declineCode };
    const message = "Your card was declined.";
    const failed = keep(state.intents, {
      ...intent,
      last_payment_error: { ...error, message } as Stripe.PaymentIntent.LastPaymentError,
    });
    keep(state.sessions, { ...session, payment_intent: intent.id });
    say("payment_intent.payment_failed", failed);
    throw new StripeFault(402, { ...error, message });
  };

  const requireSession = (id: string) => {
    const session = state.sessions.get(id);
    if (session === undefined) throw noSuch("checkout.session", id);
    return session;
  };

  const intentOf = (session: Stripe.Checkout.Session): Stripe.PaymentIntent => {
    const known = state.intents.get(String(session.payment_intent));
    if (known !== undefined) return known;
    return keep(
      state.intents,
      makeIntent({
        amount: session.amount_total ?? 0,
        currency: session.currency ?? "usd",
        kinds: session.payment_method_types,
        created: state.now(),
        metadata: session.metadata ?? {},
      }),
    );
  };

  const till: Till = {
    pay: (sessionId, wish) => {
      const session = requireSession(sessionId);
      if (session.status !== "open") throw badParam("session", `The page is ${session.status}.`);
      if (!session.payment_method_types.includes(wish.kind)) {
        throw badParam("payment_method", `${wish.kind} is not offered.`);
      }
      const intent = intentOf(session);
      const outcome = wish.kind === "card" ? outcomeOf(wish.card ?? "") : { kind: "pays" as const };
      if (outcome === undefined)
        throw badParam("number", "Only test cards can be used here.", "incorrect_number");
      if (outcome.kind === "declines") return decline(session, intent, outcome);
      if (outcome.kind === "asks" && wish.proves === false) {
        const code = "payment_intent_authentication_failure";
        return decline(session, intent, { code, declineCode: "authentication_required" });
      }
      const last4 = (wish.card ?? "").replace(/\s/g, "").slice(-4);
      const facts = { kind: wish.kind, last4, created: state.now() };
      if (wish.isLate) {
        const charge = keep(state.charges, makeCharge(intent, { ...facts, status: "pending" }));
        keep(state.intents, { ...intent, status: "processing", latest_charge: charge.id });
        const waiting = { status: "complete", payment_intent: intent.id, url: null } as const;
        const complete = keep(state.sessions, { ...session, ...waiting });
        say("checkout.session.completed", complete);
        return complete;
      }
      const charge = keep(state.charges, makeCharge(intent, { ...facts, status: "succeeded" }));
      if (outcome.kind.startsWith("refund-")) refundOutcomes.set(charge.id, outcome.kind);
      const paid = succeed(session, intent, charge.id);
      say("checkout.session.completed", paid);
      if (outcome.kind === "disputes") till.dispute(intent.id);
      return paid;
    },
    settle: (sessionId, outcome) => {
      const session = requireSession(sessionId);
      const intent = intentOf(session);
      if (intent.status !== "processing") throw badParam("session", "Nothing is under way.");
      const charge = state.charges.get(String(intent.latest_charge));
      if (charge === undefined) throw noSuch("charge", String(intent.latest_charge));
      if (outcome === "succeeded") {
        const captured = { captured: true, amount_captured: charge.amount, paid: true };
        keep(state.charges, { ...charge, ...captured, status: "succeeded" });
        const paid = succeed(session, intent, charge.id);
        say("checkout.session.async_payment_succeeded", paid);
        return paid;
      }
      keep(state.charges, { ...charge, status: "failed", failure_code: "payment_declined" });
      const failed = keep(state.intents, { ...intent, status: "requires_payment_method" });
      say("payment_intent.payment_failed", failed);
      say("checkout.session.async_payment_failed", session);
      return session;
    },
    expire: (sessionId) => {
      const session = requireSession(sessionId);
      if (session.status !== "open") throw badParam("session", `The page is ${session.status}.`);
      const expired = keep(state.sessions, { ...session, status: "expired", url: null });
      say("checkout.session.expired", expired);
      return expired;
    },
    expireDue: () => {
      for (const session of state.sessions.values()) {
        if (session.status === "open" && session.expires_at <= state.now()) till.expire(session.id);
      }
    },
    refund: (params) => {
      const intent = state.intents.get(String(params.payment_intent));
      const charge = state.charges.get(String(params.charge ?? intent?.latest_charge));
      if (charge === undefined) throw noSuch("payment_intent", String(params.payment_intent));
      if (!charge.paid)
        throw badParam("payment_intent", "It was not paid.", "charge_not_refundable");
      const left = charge.amount - charge.amount_refunded;
      const amount = params.amount === undefined ? left : Number(params.amount);
      if (!Number.isInteger(amount) || amount <= 0) {
        throw badParam("amount", "Invalid integer.", "parameter_invalid_integer");
      }
      if (left === 0) throw badParam("charge", "It has been refunded.", "charge_already_refunded");
      if (amount > left) throw badParam("amount", `Only ${left} are left.`, "amount_too_large");
      if (charge.disputed) throw badParam("charge", "It is disputed.", "charge_disputed");
      const outcome = refundOutcomes.get(charge.id);
      const metadata = (params.metadata ?? {}) as Stripe.Metadata;
      const refund = keep(
        state.refunds,
        makeRefund(charge, {
          ...{ amount, metadata, created: state.now(), reason: null },
          status: outcome === "refund-waits" ? "pending" : "succeeded",
        }),
      );
      const refunded = charge.amount_refunded + amount;
      const changed = { amount_refunded: refunded, refunded: refunded === charge.amount };
      say("refund.created", refund);
      say("charge.refunded", keep(state.charges, { ...charge, ...changed }));
      return outcome === "refund-fails" ? till.endRefund(refund.id, "failed") : refund;
    },
    endRefund: (refundId, status) => {
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
    },
    dispute: (intentId, amount) => {
      const charge = state.charges.get(String(state.intents.get(intentId)?.latest_charge));
      if (charge === undefined) throw noSuch("payment_intent", intentId);
      const terms = { amount: amount ?? charge.amount, created: state.now() };
      const dispute = keep(state.disputes, makeDispute(charge, terms));
      keep(state.charges, { ...charge, disputed: true });
      say("charge.dispute.created", dispute);
      say("charge.dispute.funds_withdrawn", dispute);
      return dispute;
    },
    closeDispute: (disputeId, outcome) => {
      const dispute = state.disputes.get(disputeId);
      const charge = state.charges.get(String(dispute?.charge));
      if (dispute === undefined || charge === undefined) throw noSuch("dispute", disputeId);
      if (dispute.status === "won" || dispute.status === "lost") {
        throw badParam("dispute", "It is closed.");
      }
      const back = moveOf(dispute.id, charge, { amount: dispute.amount, created: state.now() });
      const moves =
        outcome === "won" ? [...dispute.balance_transactions, back] : dispute.balance_transactions;
      const closed = keep(state.disputes, {
        ...dispute,
        status: outcome,
        balance_transactions: moves,
      });
      if (outcome === "won") {
        keep(state.charges, { ...charge, disputed: false });
        say("charge.dispute.funds_reinstated", closed);
      }
      say("charge.dispute.closed", closed);
      return closed;
    },
  };
  return till;
}
