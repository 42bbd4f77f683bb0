import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { AppError } from "@farebox/kit/app-error";
import { RechargeState } from "@farebox/proto/farebox/billing/v1/recharge";
import { PaymentMethodKind } from "@farebox/proto/farebox/common/v1/payment_method_kind";
import { PaymentState } from "@farebox/proto/farebox/payment/v1/payment";
import { PaymentEventState } from "@farebox/proto/farebox/payment/v1/payment_operations_service";
import Stripe from "stripe";
import { awaitCondition } from "../src/faults/await-condition.ts";
import {
  awaitMoney,
  type BegunRecharge,
  beginRecharge,
  moneyOf,
  type PaymentUnderTest,
  startPaymentForTest,
} from "./payment-under-test.ts";

// What a payer, Stripe and the network do, and what is credited: once, whatever happens.

let under: PaymentUnderTest;
before(async () => {
  under = await startPaymentForTest();
});
after(async () => {
  const { drifts } = await under.operations.runReconciliation({ accountId: "" });
  assert.deepEqual(drifts, []);
  await under[Symbol.asyncDispose]();
});

const card = { kind: "card", card: "4242424242424242" };
const knobs = () => under.emulator.webhooks.knobs;

async function paymentOf({ paymentId }: BegunRecharge) {
  const { payment } = await under.payments.getPayment({ paymentId });
  assert(payment);
  return payment;
}

async function awaitState(begun: BegunRecharge, state: PaymentState): Promise<void> {
  await awaitCondition(`state ${state}`, async () => (await paymentOf(begun)).state === state);
}

describe("a payment", () => {
  it("is credited when the webhook comes", async () => {
    const begun = await beginRecharge(under, 10);
    under.emulator.till.pay(begun.sessionId, card);
    await awaitMoney(under, begun.accountId, [1000, 0, 1000, 0]);
    const payment = await paymentOf(begun);
    assert.equal(payment.state, PaymentState.PAID);
    assert.equal(payment.isTest, true);
    assert.match(payment.providerIds.payment_intent ?? "", /^pi_/);
    const { order } = await under.billing.getRechargeOrder({ paymentOrderId: begun.orderId });
    assert.equal(order?.state, RechargeState.CREDITED);
  });

  it("is credited once when every webhook comes four times, in reverse", async () => {
    Object.assign(knobs(), { repeat: 3, reorder: 2 });
    const begun = await beginRecharge(under, 11);
    under.emulator.till.pay(begun.sessionId, card);
    Object.assign(knobs(), { repeat: 0, reorder: 0 });
    await under.emulator.webhooks.drained();
    await awaitMoney(under, begun.accountId, [1100, 0, 1100, 0]);
  });

  it("is credited by the page that the payer returns to, when no webhook comes", async () => {
    knobs().drop = 2;
    const begun = await beginRecharge(under, 12);
    under.emulator.till.pay(begun.sessionId, card);
    const page = await fetch(`${under.returnUrl}?payment=${begun.paymentId}`);
    assert.match(await page.text(), /Test mode[\s\S]*12 USD have arrived and are credited/);
    assert.deepEqual(await moneyOf(under, begun.accountId), [1200, 0, 1200, 0]);
  });

  it("is credited by RefreshPayment, any number of times", async () => {
    knobs().drop = 2;
    const begun = await beginRecharge(under, 13);
    under.emulator.till.pay(begun.sessionId, card);
    const asks = Array.from({ length: 8 }, () =>
      under.asKey(begun.key).refreshPayment({ paymentId: begun.paymentId }),
    );
    for (const { payment } of await Promise.all(asks)) {
      assert.equal(payment?.state, PaymentState.PAID);
    }
    await awaitMoney(under, begun.accountId, [1300, 0, 1300, 0]);
  });

  it("is found by the reconciler when nothing else told of it, and listed once", async () => {
    knobs().drop = 2;
    const begun = await beginRecharge(under, 14);
    under.emulator.till.pay(begun.sessionId, card);
    const first = await under.paymentOperations.reconcilePayments({});
    assert.equal(first.creditedCount, 1);
    await awaitMoney(under, begun.accountId, [1400, 0, 1400, 0]);
    const again = await under.paymentOperations.reconcilePayments({});
    assert.deepEqual([again.creditedCount, again.differenceCount], [0, 0]);
    const { differences } = await under.paymentOperations.listPaymentDifferences({});
    const found = differences.filter(({ objectId }) => objectId === begun.sessionId);
    assert.deepEqual(
      found.map((it) => [it.kind, it.isRepaired, it.providerAmount?.amountNanos]),
      [["paid_not_credited", true, 14_000_000_000n]],
    );
  });

  it("that a card declines can still be paid with another", async () => {
    const begun = await beginRecharge(under, 15);
    assert.throws(() =>
      under.emulator.till.pay(begun.sessionId, { kind: "card", card: "4000000000000002" }),
    );
    await under.emulator.webhooks.drained();
    await awaitCondition("the decline", async () => (await paymentOf(begun)).declineCode !== "");
    assert.equal((await paymentOf(begun)).declineCode, "generic_decline");
    assert.deepEqual(await moneyOf(under, begun.accountId), [0, 0, 0, 0]);
    under.emulator.till.pay(begun.sessionId, card);
    await awaitMoney(under, begun.accountId, [1500, 0, 1500, 0]);
  });

  it("by a wallet is credited when its money arrives, not when its page is complete", async () => {
    const begun = await beginRecharge(under, 16);
    under.emulator.till.pay(begun.sessionId, { kind: "alipay", isLate: true });
    await under.emulator.webhooks.drained();
    assert.deepEqual(await moneyOf(under, begun.accountId), [0, 0, 0, 0]);
    under.emulator.till.settle(begun.sessionId, "succeeded");
    await awaitMoney(under, begun.accountId, [1600, 0, 1600, 0]);
  });

  it("by a wallet that fails ends the order", async () => {
    const begun = await beginRecharge(under, 17);
    under.emulator.till.pay(begun.sessionId, { kind: "alipay", isLate: true });
    under.emulator.till.settle(begun.sessionId, "failed");
    await awaitState(begun, PaymentState.FAILED);
    await awaitCondition("the end", async () => {
      const { order } = await under.billing.getRechargeOrder({ paymentOrderId: begun.orderId });
      return order?.state === RechargeState.CANCELLED;
    });
    assert.deepEqual(await moneyOf(under, begun.accountId), [0, 0, 0, 0]);
  });

  it("whose page expires ends the order", async () => {
    const begun = await beginRecharge(under, 18);
    under.emulator.till.expire(begun.sessionId);
    await awaitState(begun, PaymentState.EXPIRED);
  });

  it("that arrives after Billing gave the order up is credited all the same", async () => {
    const begun = await beginRecharge(under, 19);
    const orderId = Buffer.from(begun.orderId.slice(4), "hex");
    await under.books.query("UPDATE recharge_order SET state = 'EXPIRED' WHERE id = ?", [orderId]);
    under.emulator.till.pay(begun.sessionId, card);
    await awaitMoney(under, begun.accountId, [1900, 0, 1900, 0]);
  });
});

describe("a call that Stripe does not answer", () => {
  for (const kind of ["cut_before", "cut_after", "500", "500_after", "500_kept", "429"] as const) {
    it(`(${kind}) leaves one payment, and the same request goes on with it`, async () => {
      const { accountId, key } = await under.newCustomer();
      const amount = { amountNanos: 20_000_000_000n, currencyCode: "USD" };
      const request = { requestId: `unanswered-${kind}`, accountId, amount };
      // The client of Stripe asks again by itself when a connection breaks.
      under.emulator.faults.add(kind, { times: 1_000, path: "checkout/sessions", method: "POST" });
      const sessionsBefore = under.emulator.state.sessions.size;
      await assert.rejects(under.billing.recharge(request), { reason: "PAYMENT_UNAVAILABLE" });
      under.emulator.faults.clear();
      const begun = await awaitCondition("an answer", () => under.billing.recharge(request));
      assert.match(begun.paymentUrl, /^http/);
      assert.equal(under.emulator.state.sessions.size, sessionsBefore + 1);
      const paymentId = begun.order?.paymentId ?? "";
      const { payment } = await under.asKey(key).getPayment({ paymentId });
      assert.equal(payment?.state, PaymentState.PENDING);
      under.emulator.till.pay(payment.providerIds.checkout_session ?? "", card);
      await awaitMoney(under, accountId, [2000, 0, 2000, 0]);
    });
  }
});

describe("a webhook", () => {
  const post = (body: string, signature: string | undefined) =>
    fetch(under.webhookUrl, {
      method: "POST",
      headers: signature === undefined ? {} : { "stripe-signature": signature },
      body,
    });
  const sign = (payload: string, secret: string, timestamp?: number) =>
    new Stripe("sk_test_signs").webhooks.generateTestHeaderString({
      ...{ payload, secret },
      ...(timestamp === undefined ? {} : { timestamp }),
    });
  const eventOf = (id: string, type: string, object: string, version = "2026-10-28.endive") =>
    JSON.stringify({
      ...{ id, object: "event", api_version: version, type, livemode: false },
      data: { object: { id: object } },
    });
  const nowSeconds = () => Math.floor(Date.now() / 1000);

  it("that is forged, stale or unsigned is refused and kept nowhere", async () => {
    const secret = under.emulator.webhookSecret;
    const body = eventOf("evt_forged", "checkout.session.completed", "cs_test_x");
    for (const signature of [
      undefined,
      "",
      "t=1,v1=00",
      sign(body, "whsec_of_somebody_else"),
      sign(body, secret, nowSeconds() - 301),
      sign(`${body} `, secret),
    ]) {
      const answer = await post(body, signature);
      assert.equal(answer.status, 400);
      assert.match(await answer.text(), /WEBHOOK_FORGED/);
    }
    const { events } = await under.paymentOperations.listPaymentEvents({});
    assert.ok(!events.some(({ eventId }) => eventId === "evt_forged"));
  });

  it("whose body is not the very bytes that were signed is refused", async () => {
    const body = `${eventOf("evt_bytes", "checkout.session.completed", "cs_test_x")}\n`;
    const signature = sign(body, under.emulator.webhookSecret);
    const spelledAnew = JSON.stringify(JSON.parse(body));
    assert.equal((await post(spelledAnew, signature)).status, 400);
    const packed = await fetch(under.webhookUrl, {
      method: "POST",
      headers: { "stripe-signature": signature, "content-encoding": "gzip" },
      body: gzipSync(body),
    });
    assert.equal(packed.status, 400);
    const { events } = await under.paymentOperations.listPaymentEvents({ pageSize: 500 });
    assert.ok(!events.some(({ eventId }) => eventId === "evt_bytes"));
  });

  it("signed by either of two secrets is heard: they can be rotated", async () => {
    const body = eventOf("evt_old_secret", "customer.created", "cus_1");
    assert.equal((await post(body, sign(body, "whsec_an_old_one_of_tests"))).status, 200);
    await awaitEvent("evt_old_secret", PaymentEventState.IGNORED);
  });

  it("that is too large is not read", async () => {
    const body = "x".repeat(600_000);
    assert.equal((await post(body, "t=1,v1=00")).status, 413);
  });

  async function awaitEvent(id: string, state: PaymentEventState) {
    return awaitCondition(`${id} in state ${state}`, async () => {
      const { events } = await under.paymentOperations.listPaymentEvents({ pageSize: 500 });
      return events.find((event) => event.eventId === id && event.state === state);
    });
  }

  it("of another API version is parked", async () => {
    const body = eventOf("evt_version", "checkout.session.completed", "cs_test_x", "2020-08-27");
    await post(body, sign(body, under.emulator.webhookSecret));
    const event = await awaitEvent("evt_version", PaymentEventState.PARKED);
    assert.match(event.reason, /2020-08-27/);
  });

  it("of an object that nobody knows is parked, and can be replayed", async () => {
    const body = eventOf("evt_unknown", "checkout.session.completed", "cs_test_unknown");
    await post(body, sign(body, under.emulator.webhookSecret));
    await awaitEvent("evt_unknown", PaymentEventState.PARKED);
    const ids = { provider: "stripe", eventId: "evt_unknown" };
    const { event } = await under.paymentOperations.replayPaymentEvent(ids);
    assert.equal(event?.state, PaymentEventState.PARKED);
    const nobody = { provider: "stripe", eventId: "evt_nobody" };
    await assert.rejects(under.paymentOperations.replayPaymentEvent(nobody), {
      reason: "PAYMENT_EVENT_NOT_FOUND",
    });
  });
});

describe("what else the Stripe account sells", () => {
  it("is ignored: its payments, refunds and disputes", async () => {
    const { url, secretKey, till } = under.emulator;
    const { hostname: host, port } = new URL(url);
    const shop = new Stripe(secretKey, { host, port, protocol: "http", telemetry: false });
    const price_data = { currency: "usd", unit_amount: 900, product_data: { name: "A hat" } };
    const page = await shop.checkout.sessions.create({
      mode: "payment",
      success_url: "http://127.0.0.1/hat",
      line_items: [{ quantity: 1, price_data }],
    });
    const intent = String(till.pay(page.id, card).payment_intent);
    await shop.refunds.create({ payment_intent: intent, amount: 100 });
    till.dispute(intent);
    await under.emulator.webhooks.drained();
    const objects = new Set<string>([page.id, intent]);
    for (const { id, payment_intent } of [
      ...under.emulator.state.refunds.values(),
      ...under.emulator.state.disputes.values(),
      ...under.emulator.state.charges.values(),
    ]) {
      if (payment_intent === intent) objects.add(id);
    }
    await awaitCondition("all of it is ignored", async () => {
      const { events } = await under.paymentOperations.listPaymentEvents({ pageSize: 500 });
      const theirs = events.filter(({ objectId }) => objects.has(objectId));
      const ignored = theirs.filter(({ state }) => state === PaymentEventState.IGNORED);
      return theirs.length === 6 && ignored.length === 6;
    });
  });
});

describe("what arrives otherwise than asked", () => {
  it("is parked, and credited nowhere", async () => {
    const begun = await beginRecharge(under, 21);
    const { sessions } = under.emulator.state;
    const session = sessions.get(begun.sessionId);
    assert(session);
    sessions.set(session.id, { ...session, amount_total: 2000 });
    under.emulator.till.pay(begun.sessionId, card);
    await awaitState(begun, PaymentState.PARKED);
    assert.deepEqual(await moneyOf(under, begun.accountId), [0, 0, 0, 0]);
    await awaitCondition("the order is parked", async () => {
      const { order } = await under.billing.getRechargeOrder({ paymentOrderId: begun.orderId });
      return order?.state === RechargeState.PARKED;
    });
  });
});

describe("who may do what", () => {
  it("keeps an account to its own payments", async () => {
    const mine = await beginRecharge(under, 22);
    const theirs = await under.newCustomer();
    const stranger = under.asKey(theirs.key);
    const { paymentId, accountId } = mine;
    for (const call of [
      () => stranger.getPayment({ paymentId }),
      () => stranger.refreshPayment({ paymentId }),
      () => stranger.refundPayment({ paymentId, requestId: "r" }),
    ]) {
      await assert.rejects(call, { reason: "PAYMENT_NOT_FOUND" });
    }
    await assert.rejects(stranger.listPayments({ accountId }), { reason: "ACCOUNT_NOT_FOUND" });
    const { payments } = await stranger.listPayments({});
    assert.deepEqual(payments, []);
    const create = { requestId: "x", paymentOrderId: "o", accountId: theirs.accountId };
    await assert.rejects(
      stranger.createPayment({ ...create, amount: { amountNanos: 1n, currencyCode: "USD" } }),
      { reason: "PERMISSION_DENIED" },
    );
  });

  it("names the field at fault", async () => {
    const good = { requestId: "f", paymentOrderId: "f", accountId: "acc_f" };
    const usd = (amountNanos: bigint) => ({ amountNanos, currencyCode: "USD" });
    const reais = { amountNanos: 10n ** 9n, currencyCode: "BRL" };
    for (const [request, reason, field] of [
      [{ ...good, amount: usd(0n) }, "INVALID_ARGUMENT", "amount.amount_nanos"],
      [{ ...good, amount: usd(-5n) }, "INVALID_ARGUMENT", "amount.amount_nanos"],
      [{ ...good, amount: usd(1n) }, "AMOUNT_NOT_PAYABLE", "amount"],
      [{ ...good, amount: usd(1_000_000_000_000_000_000n) }, "AMOUNT_NOT_PAYABLE", "amount"],
      [{ ...good, amount: reais, method: 2 }, "PAYMENT_METHOD_UNSUITABLE", "method"],
      [{ ...good, amount: { amountNanos: 1n } }, "INVALID_ARGUMENT", "amount.currency_code"],
    ] as const) {
      await assert.rejects(under.payments.createPayment(request), (error) => {
        assert(error instanceof AppError);
        assert.deepEqual([error.reason, error.metadata.field], [reason, field]);
        return true;
      });
    }
  });

  it("tells what can be paid with", async () => {
    const { kinds, isTest } = await under.payments.listPaymentMethodKinds({});
    assert.deepEqual(
      kinds.map(({ kind, provider, offSession }) => [kind, provider, offSession]),
      [
        [PaymentMethodKind.CARD, "stripe", true],
        [PaymentMethodKind.ALIPAY, "stripe", false],
        [PaymentMethodKind.WECHAT_PAY, "stripe", false],
        [PaymentMethodKind.BANK_TRANSFER, "manual", false],
      ],
    );
    assert.equal(isTest, true);
    const reais = await under.payments.listPaymentMethodKinds({ currencyCode: "BRL" });
    assert.deepEqual(
      reais.kinds.map(({ kind }) => kind),
      [PaymentMethodKind.CARD, PaymentMethodKind.BANK_TRANSFER],
    );
  });

  it("pages through payments, newest first", async () => {
    const customer = await under.newCustomer();
    const begun = [];
    for (const dollars of [1, 2, 3]) begun.push(await beginRecharge(under, dollars, customer));
    const client = under.asKey(customer.key);
    const first = await client.listPayments({ pageSize: 2 });
    const pageToken = first.nextPageToken;
    const second = await client.listPayments({ pageSize: 2, pageToken });
    const ids = [...first.payments, ...second.payments].map(({ id }) => id);
    assert.deepEqual(ids, begun.map(({ paymentId }) => paymentId).toReversed());
    assert.equal(second.nextPageToken, "");
    await assert.rejects(client.listRefunds({ pageToken }), { reason: "PAGE_TOKEN_INVALID" });
  });
});
