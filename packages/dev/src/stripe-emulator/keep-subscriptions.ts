import type Stripe from "stripe";
import type { Desk } from "./desk.ts";
import { keep } from "./emulated-state.ts";
import { requireCustomer } from "./keep-customers.ts";
import { draftInvoice, finalizeInvoice, payInvoice } from "./keep-invoices.ts";
import { makeSubscription, nextPeriodEnd } from "./make-subscription-objects.ts";
import { listAt, type Params, textAt, textsAt } from "./read-params.ts";
import { badParam, noSuch, StripeFault } from "./stripe-fault.ts";

/** Periods that one look catches up with, so that a clock that is moved far ahead ends. */
const periodsMax = 120;

/** Begins a subscription, and charges its first period: active when that is paid, incomplete when it is not. */
export function createSubscription(desk: Desk, params: Params): Stripe.Subscription {
  const { state, say } = desk;
  const customer = textAt(params, "customer") ?? "";
  requireCustomer(state.customers, customer);
  const prices = listAt(params, "items").map((item) => {
    const id = textAt(item, "price") ?? "";
    const price = state.prices.get(id);
    if (price === undefined) throw noSuch("price", id);
    if (price.recurring === null) throw badParam("items", "The price is not recurring.");
    return { price, quantity: Number(textAt(item, "quantity") ?? 1) };
  });
  if (prices.length === 0)
    throw badParam("items", "Missing required param: items.", "parameter_missing");
  const subscription = makeSubscription({
    ...{ customer, prices, created: state.now() },
    method: textAt(params, "default_payment_method") ?? null,
    metadata: textsAt(params, "metadata"),
  });
  say("customer.subscription.created", keep(state.subscriptions, subscription));
  return bill(desk, subscription, "subscription_create");
}

/** Changes what is named of a subscription. */
export function updateSubscription(desk: Desk, id: string, params: Params): Stripe.Subscription {
  const { state, say } = desk;
  const subscription = requireSubscription(desk, id);
  const ends = params.cancel_at_period_end;
  const changed = keep(state.subscriptions, {
    ...subscription,
    metadata: { ...subscription.metadata, ...textsAt(params, "metadata") },
    default_payment_method:
      textAt(params, "default_payment_method") ?? subscription.default_payment_method,
    cancel_at_period_end: ends === undefined ? subscription.cancel_at_period_end : ends === "true",
  });
  say("customer.subscription.updated", changed);
  return changed;
}

/** Ends a subscription now. */
export function cancelSubscription(desk: Desk, id: string): Stripe.Subscription {
  const { state, say } = desk;
  const subscription = requireSubscription(desk, id);
  const now = state.now();
  const canceled = keep(state.subscriptions, {
    ...subscription,
    status: "canceled" as const,
    ...{ canceled_at: now, ended_at: now },
  });
  say("customer.subscription.deleted", canceled);
  return canceled;
}

/** Begins every period that is due, and charges it; ends what was to end with its period. */
export function renewDue(desk: Desk): void {
  const { state, say } = desk;
  for (const { id } of [...state.subscriptions.values()]) {
    for (let period = 0; period < periodsMax; period += 1) {
      const subscription = state.subscriptions.get(id);
      const isRunning = subscription?.status === "active" || subscription?.status === "past_due";
      if (subscription === undefined || !isRunning) break;
      const [first] = subscription.items.data;
      if (first === undefined || first.current_period_end > state.now()) break;
      if (subscription.cancel_at_period_end) {
        cancelSubscription(desk, id);
        break;
      }
      const items = subscription.items.data.map((item) => ({
        ...item,
        current_period_start: item.current_period_end,
        current_period_end: nextPeriodEnd(item.price, item.current_period_end),
      }));
      const renewed = { ...subscription, items: { ...subscription.items, data: items } };
      say("customer.subscription.updated", keep(state.subscriptions, renewed));
      bill(desk, renewed, "subscription_cycle");
    }
  }
}

/** Charges the period that a subscription is in. */
function bill(
  desk: Desk,
  subscription: Stripe.Subscription,
  reason: Stripe.Invoice.BillingReason,
): Stripe.Subscription {
  const { state, say } = desk;
  const items = subscription.items.data;
  const [first] = items;
  const { current_period_start: periodStart = 0, current_period_end: periodEnd = 0 } = first ?? {};
  const method = subscription.default_payment_method;
  const terms = {
    ...{ subscription, reason, periodStart, periodEnd, created: state.now(), metadata: {} },
    customer: String(subscription.customer),
    currency: subscription.currency,
    method: typeof method === "string" ? method : null,
  };
  const invoice = finalizeInvoice(desk, draftInvoice(desk, terms, items).id);
  const isPaid = invoice.status === "paid" || tryToPay(desk, invoice.id);
  const unpaid = reason === "subscription_create" ? "incomplete" : "past_due";
  const billed = keep(state.subscriptions, {
    ...subscription,
    latest_invoice: invoice.id,
    status: isPaid ? ("active" as const) : unpaid,
  });
  say("customer.subscription.updated", billed);
  return billed;
}

function tryToPay(desk: Desk, invoiceId: string): boolean {
  try {
    payInvoice(desk, invoiceId);
    return true;
  } catch (error) {
    if (error instanceof StripeFault) return false;
    throw error;
  }
}

function requireSubscription({ state }: Desk, id: string): Stripe.Subscription {
  const subscription = state.subscriptions.get(id);
  if (subscription === undefined) throw noSuch("subscription", id);
  if (subscription.status === "canceled") throw badParam("id", "It is canceled.");
  return subscription;
}
