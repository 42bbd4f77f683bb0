import type Stripe from "stripe";
import { newStripeId } from "./emulated-state.ts";
import { brandOf } from "./test-cards.ts";

/** Who pays. */
export function makeCustomer(of: {
  readonly created: number;
  readonly email: string | null;
  readonly name: string | null;
  readonly description: string | null;
  readonly metadata: Stripe.Metadata;
}): Stripe.Customer {
  return {
    id: newStripeId("cus"),
    object: "customer",
    address: null,
    balance: 0,
    created: of.created,
    currency: null,
    default_source: null,
    delinquent: false,
    description: of.description,
    discount: null,
    email: of.email,
    invoice_prefix: "FAREBOX",
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: of.metadata,
    name: of.name,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: "none",
    test_clock: null,
  } satisfies Stripe.Customer;
}

/** A card that is kept; of its number only the end. */
export function makeCardMethod(of: {
  readonly number: string;
  readonly created: number;
  readonly customer: string | null;
}): Stripe.PaymentMethod {
  const brand = brandOf(of.number);
  return {
    id: newStripeId("pm"),
    object: "payment_method",
    allow_redisplay: "unspecified",
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    card: {
      brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: "pass" },
      country: "US",
      display_brand: brand,
      exp_month: 12,
      exp_year: 2034,
      fingerprint: null,
      funding: "credit",
      generated_from: null,
      last4: of.number.slice(-4),
      networks: { available: [brand], preferred: null },
      regulated_status: "unregulated",
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created: of.created,
    customer: of.customer,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: "card",
  } satisfies Stripe.PaymentMethod;
}

/** An intent to keep a method. */
export function makeSetupIntent(of: {
  readonly created: number;
  readonly customer: string | null;
  readonly kinds: readonly string[];
  readonly metadata: Stripe.Metadata;
}): Stripe.SetupIntent {
  const id = newStripeId("seti");
  return {
    id,
    object: "setup_intent",
    allowed_payment_method_types: null,
    application: null,
    automatic_payment_methods: null,
    cancellation_reason: null,
    client_secret: `${id}_secret_${newStripeId("s")}`,
    created: of.created,
    customer: of.customer,
    customer_account: null,
    description: null,
    excluded_payment_method_types: null,
    flow_directions: null,
    last_setup_error: null,
    latest_attempt: null,
    livemode: false,
    managed_payments: null,
    mandate: null,
    metadata: of.metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: [...of.kinds],
    single_use_mandate: null,
    status: "requires_payment_method",
    usage: "off_session",
  } satisfies Stripe.SetupIntent;
}
