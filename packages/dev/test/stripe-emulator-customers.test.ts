import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import Stripe from "stripe";
import { periodEnd } from "../src/stripe-emulator/make-price-objects.ts";
import {
  openStripeEmulator,
  type StripeEmulator,
} from "../src/stripe-emulator/open-stripe-emulator.ts";

// Customers of the emulator and what is charged without them: cards, subscriptions, invoices, by the official client.

let emulator: StripeEmulator;
let stripe: Stripe;
before(async () => {
  emulator = await openStripeEmulator();
  const { hostname: host, port } = new URL(emulator.url);
  const config = { host, port, protocol: "http", maxNetworkRetries: 0, telemetry: false } as const;
  stripe = new Stripe(emulator.secretKey, config);
});
after(() => emulator[Symbol.asyncDispose]());

const numbers = {
  pays: "4242 4242 4242 4242",
  declines: "4000 0000 0000 0341",
  asks: "4000 0027 6000 3184",
} as const;

async function withCard(number: string = numbers.pays) {
  const customer = await stripe.customers.create({ metadata: { account_id: "acc_1" } });
  const page = await stripe.checkout.sessions.create({
    mode: "setup",
    customer: customer.id,
    allowed_payment_method_types: ["card"],
    success_url: "http://127.0.0.1/saved",
  });
  emulator.till.pay(page.id, { kind: "card", card: number });
  const saved = await stripe.checkout.sessions.retrieve(page.id, {
    expand: ["setup_intent.payment_method"],
  });
  const intent = saved.setup_intent;
  assert(typeof intent === "object" && intent !== null);
  const method = intent.payment_method;
  assert(typeof method === "object" && method !== null);
  return { customer: customer.id, method: method.id, saved, card: method.card };
}

const charge = (of: { readonly customer: string; readonly method: string }) => ({
  ...{ amount: 1000, currency: "usd", customer: of.customer, payment_method: of.method },
  ...{ confirm: true, off_session: true, expand: ["latest_charge"] },
});

const told = async (type: string) =>
  (await stripe.events.list({ type, limit: 1 })).data[0]?.data.object;

describe("a saved card", () => {
  it("is attached by its page, without its number", async () => {
    const { customer, method, saved, card } = await withCard("5555 5555 5555 4444");
    assert.deepEqual([saved.status, saved.payment_status], ["complete", "no_payment_required"]);
    assert.deepEqual([card?.brand, card?.last4], ["mastercard", "4444"]);
    const { data } = await stripe.customers.listPaymentMethods(customer, { type: "card" });
    assert.deepEqual(
      data.map(({ id }) => id),
      [method],
    );
    assert.ok(!JSON.stringify([saved, data]).includes("5555555555554444"));
    assert.partialDeepStrictEqual(await told("setup_intent.succeeded"), { status: "succeeded" });
  });

  it("is charged without the payer, and refunded", async () => {
    const intent = await stripe.paymentIntents.create(charge(await withCard()));
    assert.equal(intent.status, "succeeded");
    assert.partialDeepStrictEqual(intent.latest_charge, { paid: true, amount: 1000 });
    const refund = await stripe.refunds.create({ payment_intent: intent.id });
    assert.equal(refund.status, "succeeded");
  });

  for (const [number, code, decline_code] of [
    [numbers.declines, "card_declined", "generic_decline"],
    [numbers.asks, "authentication_required", "authentication_required"],
  ] as const) {
    it(`is refused with ${code}, and its key repeats that`, async () => {
      const params = charge(await withCard(number));
      const key = { idempotencyKey: `charge-${code}` };
      const ids = new Set<unknown>();
      for (let ask = 0; ask < 2; ask += 1) {
        await assert.rejects(stripe.paymentIntents.create(params, key), (error) => {
          assert(error instanceof Stripe.errors.StripeCardError);
          assert.deepEqual([error.code, error.decline_code], [code, decline_code]);
          assert.equal(error.payment_intent?.status, "requires_payment_method");
          ids.add(error.payment_intent.id);
          return true;
        });
      }
      assert.equal(ids.size, 1);
    });
  }

  it("cannot be charged for another customer, or once it is detached", async () => {
    const own = await withCard();
    const other = await withCard();
    await assert.rejects(
      stripe.paymentIntents.create(charge({ ...own, customer: other.customer })),
      { statusCode: 400 },
    );
    await stripe.paymentMethods.detach(own.method);
    await assert.rejects(stripe.paymentIntents.create(charge(own)), { statusCode: 400 });
    await assert.rejects(stripe.paymentMethods.detach(own.method), { statusCode: 400 });
  });

  it("goes with its customer", async () => {
    const { customer, method } = await withCard();
    await stripe.customers.del(customer);
    assert.partialDeepStrictEqual(await stripe.customers.retrieve(customer), { deleted: true });
    assert.equal((await stripe.paymentMethods.retrieve(method)).customer, null);
  });

  it("is waited for by an intent that is confirmed or given up later", async () => {
    const { confirm: _, off_session: __, ...params } = charge(await withCard());
    const first = await stripe.paymentIntents.create(params);
    assert.equal((await stripe.paymentIntents.confirm(first.id)).status, "succeeded");
    const second = await stripe.paymentIntents.create(params);
    assert.equal((await stripe.paymentIntents.cancel(second.id)).status, "canceled");
    await assert.rejects(stripe.paymentIntents.confirm(second.id), {
      code: "payment_intent_unexpected_state",
    });
  });
});

describe("a subscription", () => {
  const monthly = async (amount = 500) => {
    const price = await stripe.prices.create({
      ...{ currency: "usd", unit_amount: amount, product_data: { name: "Plan" } },
      recurring: { interval: "month" },
    });
    return price.id;
  };
  const dayOf = (seconds: number | undefined) =>
    new Date((seconds ?? 0) * 1000).toISOString().slice(0, 10);

  it("charges its first period at once, and each next one when the clock comes to it", async () => {
    const { customer, method } = await withCard();
    const subscription = await stripe.subscriptions.create({
      ...{ customer, default_payment_method: method },
      items: [{ price: await monthly(), quantity: 3 }],
    });
    assert.equal(subscription.status, "active");
    const [item] = subscription.items.data;
    assert(item);
    emulator.state.advance(item.current_period_end - emulator.state.now());
    const renewed = await stripe.subscriptions.retrieve(subscription.id);
    assert.equal(renewed.items.data[0]?.current_period_start, item.current_period_end);
    const { data } = await stripe.invoices.list({ customer });
    assert.deepEqual(
      data.map((it) => [it.billing_reason, it.status, it.amount_paid]),
      [
        ["subscription_cycle", "paid", 1500],
        ["subscription_create", "paid", 1500],
      ],
    );
    const [latest] = data;
    assert.equal(latest?.parent?.subscription_details?.subscription, subscription.id);
    const payments = await stripe.invoicePayments.list({ invoice: latest?.id ?? "" });
    assert.match(String(payments.data[0]?.payment.payment_intent), /^pi_/);
    assert.partialDeepStrictEqual(await told("invoice.paid"), { id: latest?.id });
  });

  it("whose card declines is incomplete, runs once its invoice is paid, and is past due when it declines again", async () => {
    const bad = await withCard(numbers.declines);
    const good = await withCard();
    const subscription = await stripe.subscriptions.create({
      ...{ customer: bad.customer, default_payment_method: bad.method },
      items: [{ price: await monthly() }],
    });
    assert.equal(subscription.status, "incomplete");
    const invoice = String(subscription.latest_invoice);
    await assert.rejects(stripe.invoices.pay(invoice), { code: "card_declined" });
    await assert.rejects(stripe.invoices.pay(invoice, { payment_method: good.method }), {
      statusCode: 400,
    });
    await stripe.paymentMethods.detach(good.method);
    const page = await stripe.checkout.sessions.create({
      mode: "setup",
      customer: bad.customer,
      success_url: "http://127.0.0.1/saved",
      allowed_payment_method_types: ["card"],
    });
    emulator.till.pay(page.id, { kind: "card", card: numbers.pays });
    const { data } = await stripe.customers.listPaymentMethods(bad.customer);
    await stripe.invoices.pay(invoice, { payment_method: data[0]?.id ?? "" });
    assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, "active");
    emulator.state.advance(32 * 86_400);
    assert.equal((await stripe.subscriptions.retrieve(subscription.id)).status, "past_due");
  });

  it("ends with its period when it is to, or at once", async () => {
    const { customer, method } = await withCard();
    const terms = { customer, default_payment_method: method };
    const later = await stripe.subscriptions.create({
      ...terms,
      items: [{ price: await monthly() }],
    });
    await stripe.subscriptions.update(later.id, { cancel_at_period_end: true });
    emulator.state.advance(32 * 86_400);
    assert.equal((await stripe.subscriptions.retrieve(later.id)).status, "canceled");
    const now = await stripe.subscriptions.create({
      ...terms,
      items: [{ price: await monthly() }],
    });
    assert.equal((await stripe.subscriptions.cancel(now.id)).status, "canceled");
    const { data } = await stripe.invoices.list({ customer });
    assert.equal(data.length, 2);
  });

  it("is sold at a page, and begins when that is paid", async () => {
    const page = await stripe.checkout.sessions.create({
      mode: "subscription",
      line_items: [{ price: await monthly(700), quantity: 2 }],
      success_url: "http://127.0.0.1/sold",
    });
    assert.equal(page.amount_total, 1400);
    const html = await (await fetch(page.url ?? "")).text();
    assert.match(html, /Pay 14 USD/);
    // The second one asks for its payer at every charge, and later periods have none.
    for (const card of ["4000000000000002", numbers.asks]) {
      assert.throws(() => emulator.till.pay(page.id, { kind: "card", card, proves: true }));
    }
    const before = await stripe.checkout.sessions.retrieve(page.id);
    assert.deepEqual([before.status, before.payment_status], ["open", "unpaid"]);
    emulator.till.pay(page.id, { kind: "card", card: numbers.pays });
    const paid = await stripe.checkout.sessions.retrieve(page.id, {
      expand: ["subscription", "invoice"],
    });
    assert.partialDeepStrictEqual(paid.subscription, { status: "active" });
    assert.partialDeepStrictEqual(paid.invoice, { status: "paid", amount_paid: 1400 });
  });

  it("of a 31st is due on the last day of shorter months", async () => {
    const start = Date.UTC(2027, 0, 31, 12) / 1000;
    assert.equal(dayOf(periodEnd(start, { interval: "month", count: 1 })), "2027-02-28");
    assert.equal(dayOf(periodEnd(start, { interval: "month", count: 3 })), "2027-04-30");
    assert.equal(dayOf(periodEnd(start, { interval: "year", count: 1 })), "2028-01-31");
    assert.equal(dayOf(periodEnd(start, { interval: "week", count: 2 })), "2027-02-14");
  });
});

describe("an invoice of one's own", () => {
  it("gathers what waits, is opened, and is paid or given up", async () => {
    const { customer, method } = await withCard();
    await stripe.invoiceItems.create({ customer, amount: 300, currency: "usd" });
    await stripe.invoiceItems.create({ customer, amount: 400, currency: "usd" });
    const draft = await stripe.invoices.create({
      ...{ customer, default_payment_method: method },
      pending_invoice_items_behavior: "include",
    });
    assert.deepEqual([draft.status, draft.amount_due], ["draft", 700]);
    const open = await stripe.invoices.finalizeInvoice(draft.id);
    assert.equal(open.status, "open");
    const paid = await stripe.invoices.pay(draft.id);
    assert.deepEqual([paid.status, paid.amount_paid, paid.amount_remaining], ["paid", 700, 0]);
    await assert.rejects(stripe.invoices.voidInvoice(draft.id), { statusCode: 400 });
    const other = await stripe.invoices.create({ customer });
    await stripe.invoiceItems.create({ customer, amount: 5, currency: "usd", invoice: other.id });
    await stripe.invoices.finalizeInvoice(other.id);
    assert.equal((await stripe.invoices.voidInvoice(other.id)).status, "void");
  });
});
