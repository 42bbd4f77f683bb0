import { randomBytes } from "node:crypto";
import type Stripe from "stripe";

/** The API version that the emulator speaks. */
export const emulatedVersion = "2026-10-28.endive";

/** Everything that the emulated Stripe knows. Each kind is kept newest last, the oldest forgotten beyond the bound. */
export type EmulatedState = {
  readonly sessions: Map<string, Stripe.Checkout.Session>;
  readonly products: Map<string, Stripe.Product>;
  readonly prices: Map<string, Stripe.Price>;
  readonly subscriptions: Map<string, Stripe.Subscription>;
  readonly invoices: Map<string, Stripe.Invoice>;
  readonly invoiceItems: Map<string, Stripe.InvoiceItem>;
  readonly invoicePayments: Map<string, Stripe.InvoicePayment>;
  readonly customers: Map<string, Stripe.Customer>;
  readonly deletedCustomers: Map<string, Stripe.DeletedCustomer>;
  readonly methods: Map<string, Stripe.PaymentMethod>;
  readonly setupIntents: Map<string, Stripe.SetupIntent>;
  /** The numbers of saved cards, by the method's id: they say what a charge does, and are answered nowhere. */
  readonly cardNumbers: Map<string, string>;
  /** What a page of `mode=subscription` sells, by the session's id. */
  readonly pageItems: Map<string, readonly object[]>;
  readonly intents: Map<string, Stripe.PaymentIntent>;
  readonly charges: Map<string, Stripe.Charge>;
  readonly refunds: Map<string, Stripe.Refund>;
  readonly disputes: Map<string, Stripe.Dispute>;
  readonly events: Map<string, Stripe.Event>;
  /** Seconds of the virtual clock. */
  now(): number;
  /** Moves the virtual clock forward. */
  advance(seconds: number): void;
};

const objectsMax = 50_000;

/** An empty Stripe whose clock is the machine's until it is moved. */
export function createEmulatedState(): EmulatedState {
  let aheadSeconds = 0;
  return {
    sessions: new Map(),
    customers: new Map(),
    products: new Map(),
    prices: new Map(),
    subscriptions: new Map(),
    invoices: new Map(),
    invoiceItems: new Map(),
    invoicePayments: new Map(),
    deletedCustomers: new Map(),
    methods: new Map(),
    setupIntents: new Map(),
    cardNumbers: new Map(),
    pageItems: new Map(),
    intents: new Map(),
    charges: new Map(),
    refunds: new Map(),
    disputes: new Map(),
    events: new Map(),
    now: () => Math.floor(Date.now() / 1000) + aheadSeconds,
    advance: (seconds) => {
      aheadSeconds += seconds;
    },
  };
}

/** Keeps an object in its newest form, where it was first put. */
export function keep<T extends { readonly id: string }>(kind: Map<string, T>, object: T): T {
  kind.set(object.id, object);
  const oldest = kind.size > objectsMax ? kind.keys().next().value : undefined;
  if (oldest !== undefined) kind.delete(oldest);
  return object;
}

/** A new id: `newStripeId("cs_test")`. */
export function newStripeId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString("hex")}`;
}
