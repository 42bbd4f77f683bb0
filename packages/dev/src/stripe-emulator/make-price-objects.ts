import Stripe from "stripe";
import { newStripeId } from "./emulated-state.ts";

/** Something that is sold. */
export function makeProduct(of: {
  readonly name: string;
  readonly created: number;
  readonly metadata: Stripe.Metadata;
}): Stripe.Product {
  return {
    id: newStripeId("prod"),
    object: "product",
    active: true,
    created: of.created,
    default_price: null,
    description: null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: of.metadata,
    name: of.name,
    package_dimensions: null,
    shippable: null,
    tax_code: null,
    tax_details: null,
    type: "service",
    updated: of.created,
    url: null,
  } satisfies Stripe.Product;
}

/** How often a price is due. */
export type PriceInterval = {
  readonly interval: Stripe.Price.Recurring.Interval;
  readonly count: number;
};

/** What a product costs, once or again and again. */
export function makePrice(of: {
  readonly product: string;
  readonly currency: string;
  readonly amount: number;
  readonly every: PriceInterval | undefined;
  readonly created: number;
  readonly metadata: Stripe.Metadata;
}): Stripe.Price {
  return {
    id: newStripeId("price"),
    object: "price",
    active: true,
    billing_scheme: "per_unit",
    created: of.created,
    currency: of.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: null,
    metadata: of.metadata,
    nickname: null,
    product: of.product,
    recurring:
      of.every === undefined
        ? null
        : {
            interval: of.every.interval,
            interval_count: of.every.count,
            meter: null,
            trial_period_days: null,
            usage_type: "licensed",
          },
    tax_behavior: "unspecified",
    tiers_mode: null,
    transform_quantity: null,
    type: of.every === undefined ? "one_time" : "recurring",
    unit_amount: of.amount,
    unit_amount_decimal: Stripe.Decimal.from(of.amount),
  } satisfies Stripe.Price;
}

/** The older form of a recurring price, which items of subscriptions still carry. */
export function makePlan(price: Stripe.Price): Stripe.Plan {
  return {
    id: price.id,
    object: "plan",
    active: true,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: price.billing_scheme,
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval ?? "month",
    interval_count: price.recurring?.interval_count ?? 1,
    livemode: false,
    metadata: {},
    meter: null,
    nickname: null,
    product: typeof price.product === "string" ? price.product : price.product.id,
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: "licensed",
  } satisfies Stripe.Plan;
}

/** The end of a period that begins at an instant, in seconds: the same day of a later month, or its last one. */
export function periodEnd(start: number, { interval, count }: PriceInterval): number {
  const from = new Date(start * 1000);
  const months = interval === "year" ? 12 * count : interval === "month" ? count : 0;
  if (months === 0) return start + count * (interval === "week" ? 7 : 1) * 86_400;
  const to = new Date(from);
  to.setUTCDate(1);
  to.setUTCMonth(from.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate();
  to.setUTCDate(Math.min(from.getUTCDate(), lastDay));
  return Math.floor(to.getTime() / 1000);
}
