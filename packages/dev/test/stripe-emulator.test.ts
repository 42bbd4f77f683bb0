import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { listen } from "@farebox/kit/ops-server";
import Stripe from "stripe";
import {
  openStripeEmulator,
  type StripeEmulator,
} from "../src/stripe-emulator/open-stripe-emulator.ts";

// The emulator, by the official client: what a program of Stripe's may count on holds here too.

let emulator: StripeEmulator;
let stripe: Stripe;
before(async () => {
  emulator = await openStripeEmulator();
  stripe = clientOf(emulator, emulator.secretKey);
});
after(() => emulator[Symbol.asyncDispose]());

function clientOf({ url }: StripeEmulator, key: string): Stripe {
  const { hostname: host, port } = new URL(url);
  return new Stripe(key, { host, port, protocol: "http", maxNetworkRetries: 0, telemetry: false });
}

const terms = (cents = 1000): Stripe.Checkout.SessionCreateParams => ({
  mode: "payment",
  client_reference_id: "order-1",
  metadata: { payment_id: "pay_1" },
  payment_intent_data: { metadata: { payment_id: "pay_1" } },
  allowed_payment_method_types: ["card", "alipay"],
  line_items: [
    {
      quantity: 1,
      price_data: { currency: "usd", unit_amount: cents, product_data: { name: "Credit" } },
    },
  ],
  success_url: "http://127.0.0.1/done?session={CHECKOUT_SESSION_ID}",
});
const card = { kind: "card", card: "4242 4242 4242 4242" };

async function paidIntent(cents?: number): Promise<string> {
  const { id } = await stripe.checkout.sessions.create(terms(cents));
  return String(emulator.till.pay(id, card).payment_intent);
}

describe("a key", () => {
  it("that is not the secret one opens nothing", async () => {
    const stranger = clientOf(emulator, "sk_test_somebody_else");
    await assert.rejects(stranger.checkout.sessions.list(), { statusCode: 401 });
  });

  it("of idempotency repeats the answer, and refuses other parameters", async () => {
    const key = { idempotencyKey: "once" };
    const first = await stripe.checkout.sessions.create(terms(), key);
    const again = await stripe.checkout.sessions.create(terms(), key);
    assert.equal(again.id, first.id);
    assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
    await assert.rejects(stripe.checkout.sessions.create(terms(2000), key), {
      type: "StripeIdempotencyError",
    });
  });

  it("of idempotency repeats a refusal too, and is forgotten after a day", async () => {
    const payment_intent = await paidIntent();
    await stripe.refunds.create({ payment_intent });
    const key = { idempotencyKey: "refused" };
    const refused = { code: "charge_already_refunded" };
    await assert.rejects(stripe.refunds.create({ payment_intent }, key), refused);
    await assert.rejects(stripe.refunds.create({ payment_intent }, key), refused);
    const before = await stripe.checkout.sessions.create(terms(), { idempotencyKey: "a day" });
    emulator.state.advance(86_401);
    const later = await stripe.checkout.sessions.create(terms(), { idempotencyKey: "a day" });
    assert.notEqual(later.id, before.id);
  });

  it("of idempotency is free again after parameters were refused", async () => {
    const key = { idempotencyKey: "mended" };
    await assert.rejects(stripe.checkout.sessions.create(terms(1), key), {
      code: "amount_too_small",
    });
  });
});

describe("a page", () => {
  it("is open, then complete and paid, with what was paid by", async () => {
    const made = await stripe.checkout.sessions.create(terms());
    assert.deepEqual(
      [made.status, made.payment_status, made.payment_intent],
      ["open", "unpaid", null],
    );
    const page = await fetch(made.url ?? "");
    assert.match(await page.text(), /TEST MODE[\s\S]*Pay 10 USD/);
    const form = new URLSearchParams({ kind: "card", card: card.card });
    const posted = await fetch(made.url ?? "", { method: "POST", body: form, redirect: "manual" });
    assert.equal(posted.status, 303);
    assert.equal(posted.headers.get("location"), `http://127.0.0.1/done?session=${made.id}`);
    const expand = ["payment_intent.latest_charge"];
    const paid = await stripe.checkout.sessions.retrieve(made.id, { expand });
    assert.deepEqual([paid.status, paid.payment_status, paid.url], ["complete", "paid", null]);
    const intent = paid.payment_intent;
    assert(intent !== null && typeof intent === "object");
    assert.equal(intent.status, "succeeded");
    const charge = intent.latest_charge;
    assert(charge !== null && typeof charge === "object");
    assert.equal(charge.payment_method_details?.card?.last4, "4242");
  });

  it("tells why a card declines, and stays open", async () => {
    const made = await stripe.checkout.sessions.create(terms());
    const form = new URLSearchParams({ kind: "card", card: "4000000000009995" });
    const posted = await fetch(made.url ?? "", { method: "POST", body: form });
    assert.equal(posted.status, 402);
    assert.match(await posted.text(), /role="alert">Your card was declined/);
    assert.equal((await stripe.checkout.sessions.retrieve(made.id)).status, "open");
  });

  it("expires by the virtual clock", async () => {
    const expires_at = emulator.state.now() + 1_900;
    const made = await stripe.checkout.sessions.create({ ...terms(), expires_at });
    emulator.state.advance(1_901);
    assert.equal((await stripe.checkout.sessions.retrieve(made.id)).status, "expired");
  });

  for (const [what, params, code] of [
    ["without success_url", { ...terms(), success_url: undefined }, "parameter_missing"],
    ["of another mode", { ...terms(), mode: "subscription" }, "parameter_invalid"],
    ["that would end too soon", { ...terms(), expires_at: 1 }, "parameter_invalid_integer"],
    ["for a few cents", terms(49), "amount_too_small"],
  ] as const) {
    it(`${what} is refused`, async () => {
      const asked = params as Stripe.Checkout.SessionCreateParams;
      await assert.rejects(stripe.checkout.sessions.create(asked), { code });
    });
  }
});

describe("lists", () => {
  it("page newest first, and filter by time and owner", async () => {
    const made: string[] = [];
    const created = emulator.state.now() + 10;
    emulator.state.advance(10);
    for (let at = 0; at < 5; at += 1)
      made.push((await stripe.checkout.sessions.create(terms())).id);
    const listed = await stripe.checkout.sessions
      .list({ created: { gte: created }, limit: 2 })
      .autoPagingToArray({ limit: 100 });
    assert.deepEqual(
      listed.map(({ id }) => id),
      made.toReversed(),
    );
    const payment_intent = await paidIntent();
    const refund = await stripe.refunds.create({
      payment_intent,
      amount: 300,
      metadata: { a: "b" },
    });
    const refunds = await stripe.refunds.list({ payment_intent });
    assert.deepEqual(refunds.data, [refund]);
    const types = ["refund.created"] as const;
    const events = await stripe.events.list({ types: [...types], limit: 1 });
    assert.equal(events.data[0]?.type, "refund.created");
    await assert.rejects(stripe.events.list({ limit: 101 }), { param: "limit" });
  });
});

describe("webhooks", () => {
  it("are signed, and come again until they are taken", async () => {
    const heard: { readonly body: string; readonly signature: string }[] = [];
    const endpoint = createServer((req, res) => {
      let body = "";
      req.on("data", (part) => {
        body += part;
      });
      req.on("end", () => {
        heard.push({ body, signature: String(req.headers["stripe-signature"]) });
        res.writeHead(heard.length === 1 ? 500 : 200).end();
      });
    });
    const port = await listen(endpoint, "127.0.0.1", 0);
    emulator.sendWebhooksTo(`http://127.0.0.1:${port}`);
    const { id } = await stripe.checkout.sessions.create(terms());
    emulator.till.expire(id);
    await emulator.webhooks.drained();
    await new Promise((closed) => endpoint.close(closed));
    assert.equal(heard.length, 2);
    for (const { body, signature } of heard) {
      const event = stripe.webhooks.constructEvent(body, signature, emulator.webhookSecret);
      assert.equal(event.type, "checkout.session.expired");
      assert.equal(event.api_version, "2026-10-28.endive");
    }
  });
});
