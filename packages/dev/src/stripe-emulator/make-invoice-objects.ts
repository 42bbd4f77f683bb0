import Stripe from "stripe";
import { newStripeId } from "./emulated-state.ts";

/** What an invoice is made of. */
export type InvoiceTerms = {
  readonly customer: string;
  readonly currency: string;
  readonly created: number;
  readonly reason: Stripe.Invoice.BillingReason;
  readonly method: string | null;
  readonly metadata: Stripe.Metadata;
  readonly subscription: Stripe.Subscription | undefined;
  readonly periodStart: number;
  readonly periodEnd: number;
};

/** A draft without lines. */
export function makeInvoice(of: InvoiceTerms): Stripe.Invoice {
  const id = newStripeId("in");
  return {
    ...unusedOfInvoice(),
    id,
    object: "invoice",
    ...sumsOf([]),
    amount_paid: 0,
    attempt_count: 0,
    attempted: false,
    auto_advance: of.reason !== "manual",
    automatic_tax: {
      enabled: false,
      disabled_reason: null,
      liability: null,
      provider: null,
      status: null,
    },
    billing_reason: of.reason,
    collection_method: "charge_automatically",
    created: of.created,
    currency: of.currency,
    customer: of.customer,
    default_payment_method: of.method,
    default_tax_rates: [],
    discounts: [],
    issuer: { type: "self" },
    lines: { object: "list", data: [], has_more: false, url: `/v1/invoices/${id}/lines` },
    livemode: false,
    metadata: of.metadata,
    parent:
      of.subscription === undefined
        ? null
        : {
            quote_details: null,
            subscription_details: {
              metadata: of.subscription.metadata,
              subscription: of.subscription.id,
            },
            type: "subscription_details",
          },
    payment_settings: {
      default_mandate: null,
      payment_method_options: null,
      payment_method_types: null,
    },
    payments: { object: "list", data: [], has_more: false, url: "/v1/invoice_payments" },
    period_end: of.periodEnd,
    period_start: of.periodStart,
    status: "draft",
    status_transitions: {
      finalized_at: null,
      marked_uncollectible_at: null,
      paid_at: null,
      voided_at: null,
    },
  } satisfies Stripe.Invoice;
}

/** What follows from an invoice's lines while nothing of it is paid. */
export function sumsOf(lines: readonly Stripe.InvoiceLineItem[]) {
  const total = lines.reduce((sum, { amount }) => sum + amount, 0);
  return {
    ...{ amount_due: total, amount_remaining: total, subtotal: total, total },
    ...{ subtotal_excluding_tax: total, total_excluding_tax: total },
    ...{ amount_overpaid: 0, amount_shipping: 0 },
  };
}

/** What an invoice has and the emulator never fills. */
function unusedOfInvoice() {
  return {
    account_country: "US",
    account_name: "Farebox",
    account_tax_ids: null,
    application: null,
    automatically_finalizes_at: null,
    custom_fields: null,
    customer_account: null,
    customer_address: null,
    customer_email: null,
    customer_name: null,
    customer_phone: null,
    customer_shipping: null,
    customer_tax_exempt: "none",
    customer_tax_ids: [],
    default_source: null,
    description: null,
    due_date: null,
    effective_at: null,
    ending_balance: null,
    footer: null,
    from_invoice: null,
    last_finalization_error: null,
    latest_revision: null,
    next_payment_attempt: null,
    number: null,
    on_behalf_of: null,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    test_clock: null,
    total_discount_amounts: [],
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
  } satisfies Partial<Stripe.Invoice>;
}

/** A line of an invoice: an item of a subscription for a period, or an item of its own. */
export function makeLine(of: {
  readonly amount: number;
  readonly currency: string;
  readonly invoice: string;
  readonly description: string | null;
  readonly start: number;
  readonly end: number;
  readonly quantity: number;
  readonly item: Stripe.SubscriptionItem | undefined;
  readonly invoiceItem: string;
}): Stripe.InvoiceLineItem {
  const { item } = of;
  return {
    id: newStripeId("il"),
    object: "line_item",
    amount: of.amount,
    currency: of.currency,
    description: of.description,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice: of.invoice,
    livemode: false,
    metadata: {},
    parent:
      item === undefined
        ? {
            invoice_item_details: {
              invoice_item: of.invoiceItem,
              proration: false,
              proration_details: null,
              subscription: null,
            },
            subscription_item_details: null,
            type: "invoice_item_details",
          }
        : {
            invoice_item_details: null,
            subscription_item_details: {
              invoice_item: null,
              proration: false,
              proration_details: null,
              subscription: item.subscription,
              subscription_item: item.id,
            },
            type: "subscription_item_details",
          },
    period: { start: of.start, end: of.end },
    pretax_credit_amounts: [],
    pricing:
      item === undefined
        ? null
        : {
            price_details: { price: item.price.id, product: String(item.price.product) },
            type: "price_details",
            unit_amount_decimal: item.price.unit_amount_decimal,
          },
    quantity: of.quantity,
    quantity_decimal: Stripe.Decimal.from(of.quantity),
    subscription: item?.subscription ?? null,
    subtotal: of.amount,
    taxes: [],
  } satisfies Stripe.InvoiceLineItem;
}

/** An item that waits for a customer's next invoice, or is on one. */
export function makeInvoiceItem(of: {
  readonly amount: number;
  readonly currency: string;
  readonly customer: string;
  readonly invoice: string | null;
  readonly description: string | null;
  readonly created: number;
  readonly metadata: Stripe.Metadata;
}): Stripe.InvoiceItem {
  return {
    id: newStripeId("ii"),
    object: "invoiceitem",
    amount: of.amount,
    currency: of.currency,
    customer: of.customer,
    customer_account: null,
    date: of.created,
    description: of.description,
    discountable: true,
    discounts: [],
    invoice: of.invoice,
    livemode: false,
    metadata: of.metadata,
    parent: null,
    period: { start: of.created, end: of.created },
    pricing: null,
    proration: false,
    quantity: 1,
    quantity_decimal: Stripe.Decimal.from(1),
    tax_rates: [],
    test_clock: null,
  } satisfies Stripe.InvoiceItem;
}

/** How an invoice was paid. */
export function makeInvoicePayment(
  invoice: Stripe.Invoice,
  of: { readonly intent: string; readonly created: number },
): Stripe.InvoicePayment {
  return {
    id: newStripeId("inpay"),
    object: "invoice_payment",
    amount_paid: invoice.amount_due,
    amount_requested: invoice.amount_due,
    created: of.created,
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { payment_intent: of.intent, type: "payment_intent" },
    status: "paid",
    status_transitions: { canceled_at: null, paid_at: of.created },
  } satisfies Stripe.InvoicePayment;
}
