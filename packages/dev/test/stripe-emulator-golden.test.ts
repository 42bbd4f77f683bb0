import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, it } from "node:test";
import {
  openStripeEmulator,
  type StripeEmulator,
} from "../src/stripe-emulator/open-stripe-emulator.ts";

// Every kind of object as it goes over the wire, field by field. That a field is Stripe's own is seen to by the compiler, which
// holds each to the types of the pinned client; that one goes missing or changes its form is seen here.
// FAREBOX_WRITE_GOLDEN=1 writes the files anew: read what changed before it is committed.

const folder = new URL("./golden-stripe/", import.meta.url);
const isWriting = process.env.FAREBOX_WRITE_GOLDEN === "1";

let emulator: StripeEmulator;
before(async () => {
  emulator = await openStripeEmulator();
});
after(() => emulator[Symbol.asyncDispose]());

async function call(path: string, params?: Readonly<Record<string, string>>): Promise<unknown> {
  const answer = await fetch(`${emulator.url}/v1/${path}`, {
    method: params === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${emulator.secretKey}` },
    ...(params === undefined ? {} : { body: new URLSearchParams(params) }),
  });
  return answer.json();
}

function idOf(object: unknown): string {
  assert(typeof object === "object" && object !== null && "id" in object, JSON.stringify(object));
  return String(object.id);
}

/** Ids, instants and addresses differ each time. */
function mask(text: string): string {
  return text
    .replaceAll(emulator.url, "http://emulator")
    .replace(/([a-z]+(?:_test)?)_[0-9a-f]{24}/g, "$1_…")
    .replace(/\b1[789]\d{8}\b/g, "1700000000");
}

async function read(): Promise<ReadonlyMap<string, unknown>> {
  const { till, state } = emulator;
  const objects = new Map<string, unknown>();
  const newest = (kind: ReadonlyMap<string, { readonly id: string }>) =>
    [...kind.keys()].at(-1) ?? "";
  const page = await call("checkout/sessions", {
    mode: "payment",
    success_url: "http://127.0.0.1/done",
    "allowed_payment_method_types[0]": "card",
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "1000",
    "metadata[payment_id]": "pay_1",
  });
  objects.set("checkout-session-open", page);
  till.pay(idOf(page), { kind: "card", card: "4242424242424242" });
  objects.set("checkout-session-paid", await call(`checkout/sessions/${idOf(page)}`));
  const intent = newest(state.intents);
  objects.set("payment-intent", await call(`payment_intents/${intent}`));
  objects.set("charge", await call(`charges/${newest(state.charges)}`));
  objects.set("refund", await call("refunds", { payment_intent: intent, amount: "100" }));
  objects.set("dispute", await call(`disputes/${till.dispute(intent, 200).id}`));
  const customer = await call("customers", { email: "a@example.com" });
  objects.set("customer", customer);
  const setup = await call("checkout/sessions", {
    mode: "setup",
    customer: idOf(customer),
    success_url: "http://127.0.0.1/saved",
    "allowed_payment_method_types[0]": "card",
  });
  till.pay(idOf(setup), { kind: "card", card: "4000000000000341" });
  objects.set("checkout-session-saved", await call(`checkout/sessions/${idOf(setup)}`));
  const method = newest(state.methods);
  objects.set("setup-intent", await call(`setup_intents/${newest(state.setupIntents)}`));
  objects.set("payment-method", await call(`payment_methods/${method}`));
  const charge = { amount: "500", currency: "usd", customer: idOf(customer), confirm: "true" };
  objects.set(
    "card-declined",
    await call("payment_intents", { ...charge, payment_method: method, off_session: "true" }),
  );
  const price = await call("prices", {
    ...{ currency: "usd", unit_amount: "500" },
    "product_data[name]": "Plan",
    "recurring[interval]": "month",
  });
  objects.set("price", price);
  objects.set("product", await call(`products/${newest(state.products)}`));
  const sold = await call("subscriptions", {
    customer: idOf(customer),
    default_payment_method: method,
    "items[0][price]": idOf(price),
  });
  objects.set("subscription", sold);
  const invoice = newest(state.invoices);
  objects.set("invoice-open", await call(`invoices/${invoice}`));
  const extra = { customer: idOf(customer), amount: "5", currency: "usd" };
  objects.set("invoiceitem", await call("invoiceitems", extra));
  objects.set("events", await call("events?limit=1&type=refund.created"));
  objects.set("no-such-object", await call("charges/ch_none"));
  return objects;
}

it("every kind of object is as it was", async () => {
  const objects = await read();
  if (isWriting) mkdirSync(folder, { recursive: true });
  for (const [name, object] of objects) {
    const file = new URL(`${name}.json`, folder);
    const seen = `${mask(JSON.stringify(object, undefined, 2))}\n`;
    if (isWriting) writeFileSync(file, seen);
    assert.equal(seen, readFileSync(file, "utf8"), name);
  }
  assert.equal(objects.size, 18);
});
