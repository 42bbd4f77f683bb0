import type Stripe from "stripe";
import { newStripeId } from "./emulated-state.ts";

/** What a session is made of. */
export type SessionTerms = {
  readonly id: string;
  readonly mode: "payment" | "setup" | "subscription";
  readonly url: string;
  readonly customer: string | null;
  /** Null for a page that saves a card. */
  readonly amount: number | null;
  readonly currency: string | null;
  readonly kinds: readonly string[];
  readonly created: number;
  readonly expiresAt: number;
  readonly successUrl: string;
  readonly cancelUrl: string | null;
  readonly clientReferenceId: string | null;
  readonly metadata: Stripe.Metadata;
};

/** An open Checkout Session, in the shape of the API version. */
export function makeSession(terms: SessionTerms): Stripe.Checkout.Session {
  return {
    ...unusedOfSession(),
    id: terms.id,
    object: "checkout.session",
    adaptive_pricing: { enabled: false },
    allowed_payment_method_types: [...terms.kinds],
    amount_subtotal: terms.amount,
    amount_total: terms.amount,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    cancel_url: terms.cancelUrl,
    client_reference_id: terms.clientReferenceId,
    created: terms.created,
    currency: terms.currency,
    customer: terms.customer,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
    },
    customer_creation: "if_required",
    discounts: [],
    expires_at: terms.expiresAt,
    livemode: false,
    metadata: terms.metadata,
    mode: terms.mode,
    payment_intent: null,
    payment_method_collection: "if_required",
    payment_method_options: {},
    payment_method_types: [...terms.kinds],
    payment_status: terms.mode === "setup" ? "no_payment_required" : "unpaid",
    shipping_options: [],
    status: "open",
    success_url: terms.successUrl,
    total_details:
      terms.mode === "setup" ? null : { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: "hosted_page",
    url: terms.url,
  } satisfies Stripe.Checkout.Session;
}

/** What a page has and the emulator never fills. */
function unusedOfSession() {
  return {
    after_expiration: null,
    allow_promotion_codes: null,
    billing_address_collection: null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    currency_conversion: null,
    customer_account: null,
    customer_details: null,
    customer_email: null,
    integration_identifier: null,
    invoice: null,
    invoice_creation: null,
    locale: null,
    managed_payments: null,
    origin_context: null,
    payment_link: null,
    payment_method_configuration_details: null,
    permissions: null,
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    submit_type: null,
    subscription: null,
    wallet_options: null,
  } satisfies Partial<Stripe.Checkout.Session>;
}

/** A payment intent that waits for a method. */
export function makeIntent(of: {
  readonly amount: number;
  readonly currency: string;
  readonly kinds: readonly string[];
  readonly created: number;
  readonly metadata: Stripe.Metadata;
}): Stripe.PaymentIntent {
  const id = newStripeId("pi");
  return {
    id,
    object: "payment_intent",
    allowed_payment_method_types: null,
    amount: of.amount,
    amount_capturable: 0,
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: "automatic_async",
    client_secret: `${id}_secret_${newStripeId("s")}`,
    confirmation_method: "automatic",
    created: of.created,
    currency: of.currency,
    customer: null,
    customer_account: null,
    description: null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: of.metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: [...of.kinds],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: "requires_payment_method",
    transfer_data: null,
    transfer_group: null,
  } satisfies Stripe.PaymentIntent;
}

/** A charge of an intent by a kind of method. */
export function makeCharge(
  intent: Stripe.PaymentIntent,
  of: {
    readonly kind: string;
    readonly last4: string;
    readonly status: Stripe.Charge.Status;
    readonly created: number;
    readonly failureCode?: string;
  },
): Stripe.Charge {
  const hasSucceeded = of.status === "succeeded";
  return {
    id: newStripeId("ch"),
    object: "charge",
    amount: intent.amount,
    amount_captured: hasSucceeded ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: hasSucceeded ? newStripeId("txn") : null,
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    calculated_statement_descriptor: "FAREBOX",
    captured: hasSucceeded,
    created: of.created,
    currency: intent.currency,
    customer: null,
    description: null,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: of.failureCode ?? null,
    failure_message: of.failureCode === undefined ? null : "The payment was declined.",
    fraud_details: {},
    livemode: false,
    metadata: intent.metadata,
    on_behalf_of: null,
    outcome: null,
    paid: hasSucceeded,
    payment_intent: intent.id,
    payment_method: newStripeId("pm"),
    payment_method_details: detailsOf(of.kind, of.last4),
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: of.status,
    transfer_data: null,
    transfer_group: null,
  } satisfies Stripe.Charge;
}

function detailsOf(kind: string, last4: string): Stripe.Charge.PaymentMethodDetails {
  if (kind === "alipay") {
    return { type: kind, alipay: { fingerprint: null, transaction_id: newStripeId("ali") } };
  }
  if (kind === "wechat_pay") {
    return { type: kind, wechat_pay: { fingerprint: null, transaction_id: newStripeId("wx") } };
  }
  return {
    type: "card",
    card: {
      amount_authorized: null,
      authorization_code: null,
      brand: "visa",
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: "pass" },
      country: "US",
      electronic_commerce_indicator: null,
      exp_month: 12,
      exp_year: 2034,
      funding: "credit",
      installments: null,
      last4,
      mandate: null,
      network: "visa",
      network_transaction_id: null,
      regulated_status: "unregulated",
      three_d_secure: null,
      transaction_link_id: null,
      wallet: null,
    },
  };
}

/** A refund of a charge. */
export function makeRefund(
  charge: Stripe.Charge,
  of: {
    readonly amount: number;
    readonly status: string;
    readonly created: number;
    readonly metadata: Stripe.Metadata;
    readonly reason: Stripe.Refund.Reason | null;
  },
): Stripe.Refund {
  return {
    id: newStripeId("re"),
    object: "refund",
    amount: of.amount,
    balance_transaction: newStripeId("txn"),
    charge: charge.id,
    created: of.created,
    currency: charge.currency,
    customer: null,
    customer_account: null,
    metadata: of.metadata,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: of.reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: of.status,
    transfer_reversal: null,
  } satisfies Stripe.Refund;
}
