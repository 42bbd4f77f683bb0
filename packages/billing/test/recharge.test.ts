import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { AppError } from "@farebox/kit/app-error";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { RechargeState } from "@farebox/proto/farebox/billing/v1/recharge";
import { PaymentMethodKind } from "@farebox/proto/farebox/common/v1/payment_method_kind";
import {
  type BillingUnderTest,
  openAccount,
  startBillingForTest,
  uniqueRequest,
} from "./billing-under-test.ts";
import { type FakePayment, startFakePayment } from "./fake-payment.ts";

let payment: FakePayment;
let billing: BillingUnderTest;
before(async () => {
  payment = await startFakePayment();
  billing = await startBillingForTest({ PAYMENT_ADDRESS: payment.address });
});
after(async () => {
  await billing[Symbol.asyncDispose]();
  await payment[Symbol.asyncDispose]();
});
beforeEach(() => payment.behaveWell());

const orders = (key?: string) => billing.client(BillingService, key);

async function newRequest(nanos = 500n) {
  const { accountId, key } = await openAccount(billing);
  return {
    key,
    request: { requestId: uniqueRequest(), accountId, amount: { amountNanos: nanos } },
  };
}

async function ordersOf(accountId: string) {
  return (await orders().listRechargeOrders({ accountId })).orders;
}

describe("Recharge", () => {
  it("makes one order and one answer for any number of equal calls at once", async () => {
    const { request } = await newRequest();
    const answers = await Promise.all(Array.from({ length: 50 }, () => orders().recharge(request)));
    const [first] = answers;
    for (const answer of answers) assert.deepEqual(answer, first);
    const [order, ...others] = await ordersOf(request.accountId);
    assert.deepEqual([order, others], [first?.order, []]);
    assert.match(first?.order?.paymentOrderId ?? "", /^rco_[0-9a-f]{32}$/);
    assert.equal(first?.order?.state, RechargeState.PENDING);
    assert.equal(first?.order?.paymentUrl, first?.paymentUrl);
    assert.equal(first?.paymentCode, `code-${first?.order?.paymentId}`);
    assert.deepEqual(first?.paymentParams, {
      client_secret: `secret-${first?.order?.paymentId}`,
    });
  });

  it("asks Payment for exactly what the order says, each time alike", async () => {
    const { request } = await newRequest(7_000_000_000n);
    const full = {
      ...request,
      method: PaymentMethodKind.ALIPAY,
      returnUrl: "https://shop.example/back?a=1",
      clientIp: "203.0.113.9",
    };
    const { order } = await orders().recharge(full);
    await orders().recharge({ ...full, clientIp: "203.0.113.10" });
    const asked = payment.requests.filter((it) => it.paymentOrderId === order?.paymentOrderId);
    assert.equal(asked.length, 2);
    assert.deepEqual(asked[0], asked[1]);
    const [only] = asked;
    assert.deepEqual(
      [only?.requestId, only?.accountId, only?.amount?.amountNanos, only?.amount?.currencyCode],
      [order?.paymentOrderId, request.accountId, 7_000_000_000n, "USD"],
    );
    assert.deepEqual(
      [only?.method, only?.returnUrl, only?.clientIp, only?.expireTime],
      [full.method, full.returnUrl, full.clientIp, order?.expireTime],
    );
  });

  // biome-ignore format: a table is read by column
  const others: [name: string, change: object][] = [
    ["another amount",       { amount: { amountNanos: 501n } }],
    ["another method",       { method: PaymentMethodKind.CARD }],
    ["another return page",  { returnUrl: "https://elsewhere.example/" }],
    ["another saved method", { paymentMethodId: `pmt_${"1".repeat(32)}` }],
  ];
  for (const [name, change] of others) {
    it(`refuses a request id that comes again with ${name}`, async () => {
      const { request } = await newRequest();
      await orders().recharge(request);
      const again = orders().recharge({ ...request, ...change });
      await assert.rejects(again, { reason: "DUPLICATE_RECHARGE" });
      assert.equal((await ordersOf(request.accountId)).length, 1);
    });
  }

  // biome-ignore format: a table is read by column
  const faults: [name: string, reason: string, change: object][] = [
    ["nothing",                   "INVALID_ARGUMENT",  { amount: { amountNanos: 0n } }],
    ["a negative amount",         "INVALID_ARGUMENT",  { amount: { amountNanos: -1n } }],
    ["no amount",                 "INVALID_ARGUMENT",  { amount: undefined }],
    ["more than an account holds", "INVALID_ARGUMENT", { amount: { amountNanos: 9_000_000_000_000_000_001n } }],
    ["another currency",          "CURRENCY_MISMATCH", { amount: { currencyCode: "EUR", amountNanos: 1n } }],
    ["an id that ends blank",     "INVALID_ARGUMENT",  { requestId: "r " }],
    ["a page that is no URL",     "INVALID_ARGUMENT",  { returnUrl: "javascript:alert(1)" }],
    ["an address that is none",   "INVALID_ARGUMENT",  { clientIp: "ü" }],
    ["an unknown account",        "ACCOUNT_NOT_FOUND", { accountId: "acc_none" }],
  ];
  for (const [name, reason, change] of faults) {
    it(`refuses ${name}, and makes no order`, async () => {
      const { request } = await newRequest();
      await assert.rejects(orders().recharge({ ...request, ...change }), { reason });
      assert.deepEqual(await ordersOf(request.accountId), []);
    });
  }

  it("goes on with the same order once Payment answers again", async () => {
    const { request } = await newRequest();
    for (const reason of ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"] as const) {
      payment.refuseWith(new AppError(reason));
      const refusal = { reason: "PAYMENT_UNAVAILABLE", retryAfterMs: 1000 };
      await assert.rejects(orders().recharge(request), refusal);
    }
    const [waiting, ...more] = await ordersOf(request.accountId);
    assert.deepEqual([waiting?.state, waiting?.paymentId, more], [RechargeState.PENDING, "", []]);
    payment.behaveWell();
    const { order } = await orders().recharge(request);
    assert.equal(order?.paymentOrderId, waiting?.paymentOrderId);
    assert.notEqual(order?.paymentId, "");
  });

  it("passes on what Payment refuses for good, and leaves no order waiting", async () => {
    const metadata = { minimum: "0.5", maximum: "999999.99" };
    for (const reason of [
      "AMOUNT_NOT_PAYABLE",
      "PAYMENT_METHOD_NOT_FOUND",
      "PAYMENT_METHOD_UNSUITABLE",
    ] as const) {
      const { request } = await newRequest();
      payment.refuseWith(new AppError(reason, undefined, { metadata }));
      await assert.rejects(orders().recharge(request), { reason, metadata });
      const [order] = await ordersOf(request.accountId);
      assert.equal(order?.state, RechargeState.CANCELLED);
      payment.behaveWell();
      const again = await orders().recharge(request);
      assert.deepEqual([again.order, again.paymentUrl], [order, ""]);
    }
  });

  it("keeps an order whose payment is under way, whatever Payment answers to a repetition", async () => {
    const { request } = await newRequest();
    const { order } = await orders().recharge(request);
    payment.refuseWith(new AppError("PAYMENT_METHOD_NOT_FOUND"));
    const again = orders().recharge(request);
    await assert.rejects(again, { reason: "PAYMENT_METHOD_NOT_FOUND" });
    assert.deepEqual(await ordersOf(request.accountId), [order]);
  });

  it("answers a payment that is declined at once as a cancelled order", async () => {
    const { request } = await newRequest();
    payment.declineAll();
    const { order, paymentUrl } = await orders().recharge(request);
    assert.deepEqual(
      [order?.state, order?.paymentUrl, paymentUrl],
      [RechargeState.CANCELLED, "", ""],
    );
  });

  it("answers the credited order when a saved method is charged at once", async () => {
    const { request } = await newRequest(900n);
    payment.beforeAnswer(async (paymentOrderId, paymentId) => {
      const amount = { amountNanos: 900n, currencyCode: "USD" };
      await orders().confirmRecharge({ paymentOrderId, paymentId, amount });
    });
    const { order, paymentUrl } = await orders().recharge(request);
    assert.deepEqual(
      [order?.state, order?.credited?.amountNanos, paymentUrl],
      [RechargeState.CREDITED, 900n, ""],
    );
    const asked = payment.requests.length;
    assert.deepEqual((await orders().recharge(request)).order, order);
    assert.equal(payment.requests.length, asked, "a finished order asks for no payment");
  });
});

describe("GetRechargeOrder and ListRechargeOrders", () => {
  it("show an account its own orders only, page by page, newest first", async () => {
    const mine = await newRequest();
    const made: (string | undefined)[] = [];
    for (const nanos of [1n, 2n, 3n, 4n, 5n]) {
      const request = { requestId: uniqueRequest(), amount: { amountNanos: nanos } };
      made.unshift((await orders(mine.key).recharge(request)).order?.paymentOrderId);
    }
    const theirs = await newRequest();
    const { order: hidden } = await orders(theirs.key).recharge(theirs.request);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await orders(mine.key).listRechargeOrders({ pageSize: 2, pageToken });
      seen.push(...page.orders.map((order) => order.paymentOrderId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    assert.deepEqual(seen, made);
    const paymentOrderId = hidden?.paymentOrderId ?? "";
    await assert.rejects(orders(mine.key).getRechargeOrder({ paymentOrderId }), {
      reason: "ORDER_NOT_FOUND",
    });
    const { accountId } = mine.request;
    await assert.rejects(orders().getRechargeOrder({ accountId, paymentOrderId }), {
      reason: "ORDER_NOT_FOUND",
    });
    for (const reader of [orders(theirs.key), orders()]) {
      assert.deepEqual((await reader.getRechargeOrder({ paymentOrderId })).order, hidden);
    }
  });

  it("filter by state and time, and refuse a page of another question", async () => {
    const { request, key } = await newRequest();
    await orders().recharge(request);
    await orders().recharge({ ...request, requestId: uniqueRequest() });
    const pending = await orders(key).listRechargeOrders({ state: RechargeState.PENDING });
    const parked = await orders(key).listRechargeOrders({ state: RechargeState.PARKED });
    const past = await orders(key).listRechargeOrders({ endTime: { seconds: 1n } });
    const recent = await orders(key).listRechargeOrders({ startTime: { seconds: 1n } });
    assert.deepEqual(
      [pending, parked, past, recent].map((page) => page.orders.length),
      [2, 0, 0, 2],
    );
    const { nextPageToken } = await orders(key).listRechargeOrders({ pageSize: 1 });
    const other = { pageToken: nextPageToken, state: RechargeState.PENDING };
    await assert.rejects(orders(key).listRechargeOrders(other), { reason: "PAGE_TOKEN_INVALID" });
  });
});

describe("BatchCheckBalance", () => {
  it("reads every account that exists, in the order asked", async () => {
    const [rich, poor] = [await openAccount(billing), await openAccount(billing)];
    const grant = { requestId: uniqueRequest(), amount: { amountNanos: 3n } };
    await billing.client(AccountService).grantCredit({ ...grant, accountId: rich.accountId });
    const accountIds = [poor.accountId, "acc_none", rich.accountId];
    const { balances } = await orders().batchCheckBalance({ accountIds });
    assert.deepEqual(
      balances.map(({ accountId, balance }) => [accountId, balance?.available?.amountNanos]),
      [
        [poor.accountId, 0n],
        [rich.accountId, 3n],
      ],
    );
  });
});

describe("billing without Payment", () => {
  it("says so before an order is made", async () => {
    await using alone = await startBillingForTest();
    const { accountId } = await openAccount(alone);
    const client = alone.client(BillingService);
    const request = { requestId: uniqueRequest(), accountId, amount: { amountNanos: 1n } };
    await assert.rejects(client.recharge(request), {
      reason: "PAYMENT_UNAVAILABLE",
      message: /PAYMENT_ADDRESS is not set/,
    });
    assert.deepEqual((await client.listRechargeOrders({ accountId })).orders, []);
  });
});
