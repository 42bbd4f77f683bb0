import type Stripe from "stripe";
import { newStripeId } from "./emulated-state.ts";
import { makePlan, periodEnd } from "./make-price-objects.ts";

/** A subscription whose first period begins now, and which is not paid yet. */
export function makeSubscription(of: {
  readonly customer: string;
  readonly prices: readonly { readonly price: Stripe.Price; readonly quantity: number }[];
  readonly method: string | null;
  readonly created: number;
  readonly metadata: Stripe.Metadata;
}): Stripe.Subscription {
  const id = newStripeId("sub");
  const items = of.prices.map(({ price, quantity }) => makeItem(id, price, quantity, of.created));
  return {
    ...unusedOfSubscription(),
    id,
    object: "subscription",
    automatic_tax: { enabled: false, disabled_reason: null, liability: null },
    billing_cycle_anchor: of.created,
    billing_mode: { flexible: null, type: "classic" },
    billing_schedules: [],
    cancel_at_period_end: false,
    collection_method: "charge_automatically",
    created: of.created,
    currency: items[0]?.price.currency ?? "usd",
    customer: of.customer,
    default_payment_method: of.method,
    discounts: [],
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: "self" },
    },
    items: { object: "list", data: items, has_more: false, url: "/v1/subscription_items" },
    livemode: false,
    metadata: of.metadata,
    start_date: of.created,
    status: "incomplete",
    trial_settings: {
      end_behavior: { billing_cycle_anchor: null, missing_payment_method: "create_invoice" },
    },
  } satisfies Stripe.Subscription;
}

/** What a subscription has and the emulator never fills, or fills later. */
function unusedOfSubscription() {
  return {
    application: null,
    application_fee_percent: null,
    billing_cycle_anchor_config: null,
    billing_thresholds: null,
    cancel_at: null,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    customer_account: null,
    days_until_due: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    ended_at: null,
    latest_invoice: null,
    managed_payments: null,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: null,
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    test_clock: null,
    transfer_data: null,
    trial_end: null,
    trial_start: null,
  } satisfies Partial<Stripe.Subscription>;
}

function makeItem(
  subscription: string,
  price: Stripe.Price,
  quantity: number,
  created: number,
): Stripe.SubscriptionItem {
  return {
    id: newStripeId("si"),
    object: "subscription_item",
    billing_thresholds: null,
    created,
    current_period_end: nextPeriodEnd(price, created),
    current_period_start: created,
    current_trial: null,
    discounts: [],
    metadata: {},
    plan: makePlan(price),
    price,
    quantity,
    subscription,
    tax_rates: [],
  } satisfies Stripe.SubscriptionItem;
}

/** When a period of a recurring price ends that begins at an instant. */
export function nextPeriodEnd({ recurring }: Stripe.Price, start: number): number {
  const interval = recurring?.interval ?? "month";
  return periodEnd(start, { interval, count: recurring?.interval_count ?? 1 });
}
