import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LedgerKind } from "@farebox/proto/farebox/billing/v1/account";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import {
  RechargeState,
  ReversalKind,
  ReversalState,
} from "@farebox/proto/farebox/billing/v1/recharge";
import {
  type BillingUnderTest,
  openAccount,
  startBillingForTest,
  uniqueRequest,
} from "./billing-under-test.ts";
import { type FakePayment, startFakePayment } from "./fake-payment.ts";
import { assertConserved } from "./support/assert-conserved.ts";

let payment: FakePayment;
let billing: BillingUnderTest;
before(async () => {
  payment = await startFakePayment();
  billing = await startBillingForTest({ PAYMENT_ADDRESS: payment.address });
});
after(async () => {
  await assertConserved(billing.pool);
  await billing[Symbol.asyncDispose]();
  await payment[Symbol.asyncDispose]();
});

const client = () => billing.client(BillingService);
const dollars = (amountNanos: bigint) => ({ amountNanos, currencyCode: "USD" });

/** An account whose order of 100 was credited, and short ways to take money of it. */
async function creditedOrder(into?: string) {
  const accountId = into ?? (await openAccount(billing)).accountId;
  const request = { requestId: uniqueRequest(), accountId, amount: dollars(100n) };
  const { order } = await client().recharge(request);
  const paymentOrderId = order?.paymentOrderId ?? "";
  const paid = { paymentOrderId, paymentId: order?.paymentId ?? "", amount: dollars(100n) };
  await client().confirmRecharge(paid);
  return {
    accountId,
    paymentOrderId,
    reserve: (reversalId: string, nanos: bigint) =>
      client().reserveRefund({ paymentOrderId, reversalId, amount: dollars(nanos) }),
    refund: (reversalId: string, nanos: bigint) =>
      client().reverseRecharge({
        ...{ paymentOrderId, reversalId, kind: ReversalKind.REFUND },
        amount: dollars(nanos),
      }),
    dispute: (reversalId: string, nanos: bigint) =>
      client().reverseRecharge({
        ...{ paymentOrderId, reversalId, kind: ReversalKind.DISPUTE },
        amount: dollars(nanos),
      }),
    reinstate: (reversalId: string) => client().reinstateRecharge({ paymentOrderId, reversalId }),
    read: () => client().getRechargeOrder({ paymentOrderId }),
    money: () => moneyOf(accountId),
  };
}

/** available, held, credited, receivable */
async function moneyOf(accountId: string) {
  const { balance } = await client().checkBalance({ accountId });
  const { available, held, credited, receivable } = balance ?? {};
  return [available, held, credited, receivable].map((money) => money?.amountNanos);
}

async function spend(accountId: string, nanos: bigint): Promise<void> {
  const charges = [{ requestId: uniqueRequest(), amount: { amountNanos: nanos } }];
  await client().deductQuota({ requestId: uniqueRequest(), accountId, charges });
}

async function giveCredit(accountId: string, nanos: bigint): Promise<void> {
  const amount = { amountNanos: nanos };
  const request = { requestId: uniqueRequest(), accountId, amount };
  await billing.client(AccountService).grantCredit(request);
}

async function creditLeft(accountId: string): Promise<readonly (bigint | undefined)[]> {
  const { grants } = await billing
    .client(AccountService)
    .listCreditGrants({ accountId, includeFinished: true });
  return grants.map((grant) => grant.remaining?.amountNanos);
}

describe("a refund that a customer asks for", () => {
  it("is held, then paid out of what is held; each step once for any number of equal calls", async () => {
    const order = await creditedOrder();
    const many = <T>(call: () => Promise<T>) => Promise.all(Array.from({ length: 20 }, call));
    const reserved = await many(() => order.reserve("r1", 60n));
    for (const answer of reserved) assert.deepEqual(answer, reserved[0]);
    assert.equal(reserved[0]?.reversal?.state, ReversalState.RESERVED);
    assert.deepEqual(await order.money(), [40n, 60n, 100n, 0n]);
    const posted = await many(() => order.refund("r1", 60n));
    for (const answer of posted) assert.deepEqual(answer, posted[0]);
    assert.deepEqual(
      [posted[0]?.reversal?.state, posted[0]?.order?.state],
      [ReversalState.REVERSED, RechargeState.PARTIALLY_REFUNDED],
    );
    assert.deepEqual(await order.money(), [40n, 0n, 40n, 0n]);
    const late = await order.reserve("r1", 60n);
    assert.equal(late.reversal?.state, ReversalState.REVERSED, "a repeat answers as it stands");
    await order.reserve("r2", 40n);
    const whole = await order.refund("r2", 40n);
    assert.equal(whole.order?.state, RechargeState.REFUNDED);
    assert.deepEqual(await order.money(), [0n, 0n, 0n, 0n]);
    const { accountId, paymentOrderId } = order;
    const kind = LedgerKind.RECHARGE_REVERSED;
    const ledger = await billing.client(AccountService).listLedgerEntries({ accountId, kind });
    const hex = paymentOrderId.slice(4);
    assert.deepEqual(
      ledger.entries.map((it) => [it.reference, it.amount?.amountNanos, it.debit, it.credit]),
      [
        [`${hex}/r2`, -40n, "customer_funds", "cash"],
        [`${hex}/r1`, -60n, "customer_funds", "cash"],
      ],
    );
  });

  it("returns to the account when it fails, and cannot be paid out any more", async () => {
    const order = await creditedOrder();
    await order.reserve("r1", 60n);
    await spend(order.accountId, 55n);
    assert.deepEqual(await order.money(), [0n, 60n, 100n, 15n]);
    const released = await order.reinstate("r1");
    assert.equal(released.reversal?.state, ReversalState.RELEASED);
    assert.deepEqual(await order.reinstate("r1"), released);
    assert.deepEqual(await order.money(), [45n, 0n, 100n, 0n], "debt is paid first");
    await assert.rejects(order.refund("r1", 60n), {
      reason: "ORDER_WRONG_STATE",
      metadata: { state: "CREDITED", reversal_state: "RELEASED" },
    });
  });

  it("is refused beyond what is paid and unspent, naming what can be refunded", async () => {
    const order = await creditedOrder();
    await giveCredit(order.accountId, 20n);
    await spend(order.accountId, 50n);
    const refundable = "0.00000007";
    await assert.rejects(order.reserve("r1", 71n), {
      reason: "REFUND_EXCEEDS_UNSPENT",
      metadata: { refundable },
    });
    await order.reserve("r1", 70n);
    await assert.rejects(order.reserve("r2", 1n), { metadata: { refundable: "0" } });
    assert.deepEqual(await order.money(), [0n, 70n, 120n, 0n]);
  });

  it("leaves given credit alone: it is not refunded, and stays", async () => {
    const order = await creditedOrder();
    await giveCredit(order.accountId, 20n);
    await assert.rejects(order.reserve("r1", 101n), { metadata: { refundable: "0.0000001" } });
    await order.reserve("r1", 100n);
    await order.refund("r1", 100n);
    assert.deepEqual(await order.money(), [20n, 0n, 20n, 0n]);
    assert.deepEqual(await creditLeft(order.accountId), [20n]);
  });

  it("never takes twice what is there once, however many ask at once", async () => {
    const order = await creditedOrder();
    const asks = Array.from({ length: 20 }, (_, n) => order.reserve(`r${n}`, 30n));
    const outcomes = await Promise.allSettled(asks);
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 3);
    assert.deepEqual(await order.money(), [10n, 90n, 100n, 0n]);
  });

  it("takes what has expired meanwhile with it when it ends: its money spared that, as a lease's does", async () => {
    const order = await creditedOrder();
    await giveCredit(order.accountId, 30n);
    await order.reserve("r1", 60n);
    await billing.pool.query(
      "UPDATE credit_grant SET expire_time = '2020-01-01' WHERE account_id = ?",
      [order.accountId],
    );
    assert.deepEqual(await order.money(), [70n, 60n, 130n, 0n]);
    await order.reinstate("r1");
    assert.deepEqual(await order.money(), [100n, 0n, 100n, 0n]);
    assert.deepEqual(await creditLeft(order.accountId), [0n]);
  });

  it("is another one under another amount", async () => {
    const order = await creditedOrder();
    await order.reserve("r1", 60n);
    await assert.rejects(order.reserve("r1", 59n), { reason: "REQUEST_ID_REUSED" });
    await assert.rejects(order.refund("r1", 59n), { reason: "REQUEST_ID_REUSED" });
    await assert.rejects(order.dispute("r1", 60n), { reason: "REQUEST_ID_REUSED" });
  });
});

describe("money that a provider has taken", () => {
  it("comes out of what is available, and of what is spent as debt", async () => {
    const order = await creditedOrder();
    await spend(order.accountId, 70n);
    const taken = await order.dispute("d1", 100n);
    assert.deepEqual(
      [taken.order?.state, taken.reversal?.amount?.amountNanos],
      [RechargeState.DISPUTED, 100n],
    );
    assert.deepEqual(await order.dispute("d1", 100n), taken);
    assert.deepEqual(await order.money(), [0n, 0n, 0n, 70n]);
    const quota = { requestId: uniqueRequest(), service: "llm", estimatedCost: dollars(1n) };
    const denied = await client().checkQuota({ ...quota, accountId: order.accountId });
    assert.equal(denied.lease, undefined, "an account in debt begins no new call");
  });

  it("comes back when the dispute is won, and pays the debt", async () => {
    const order = await creditedOrder();
    await spend(order.accountId, 70n);
    await order.dispute("d1", 100n);
    const won = await order.reinstate("d1");
    assert.deepEqual(
      [won.order?.state, won.reversal?.state],
      [RechargeState.CREDITED, ReversalState.REINSTATED],
    );
    assert.deepEqual(await order.reinstate("d1"), won);
    assert.deepEqual(await order.money(), [30n, 0n, 100n, 0n]);
    const repeated = await order.dispute("d1", 100n);
    assert.equal(repeated.reversal?.state, ReversalState.REINSTATED, "and is not taken again");
    assert.deepEqual(await order.money(), [30n, 0n, 100n, 0n]);
  });

  it("is never more in all than was credited: a dispute of what is refunded takes nothing", async () => {
    const order = await creditedOrder();
    await order.reserve("r1", 80n);
    await order.refund("r1", 80n);
    const taken = await order.dispute("d1", 100n);
    assert.deepEqual(
      [taken.reversal?.asked?.amountNanos, taken.reversal?.amount?.amountNanos],
      [100n, 20n],
    );
    const none = await order.dispute("d2", 100n);
    assert.equal(none.reversal?.amount?.amountNanos, 0n);
    assert.deepEqual(await order.money(), [0n, 0n, 0n, 0n]);
    await order.reinstate("d2");
    const won = await order.reinstate("d1");
    assert.equal(won.order?.state, RechargeState.PARTIALLY_REFUNDED);
    assert.deepEqual(await order.money(), [20n, 0n, 20n, 0n]);
    const { reversals } = await order.read();
    assert.deepEqual(
      reversals.map((it) => [it.reversalId, it.state]),
      [
        ["r1", ReversalState.REVERSED],
        ["d1", ReversalState.REINSTATED],
        ["d2", ReversalState.REINSTATED],
      ],
    );
  });

  it("leaves what refunds of the order hold to them", async () => {
    const order = await creditedOrder();
    await order.reserve("r1", 60n);
    const taken = await order.dispute("d1", 100n);
    assert.equal(taken.reversal?.amount?.amountNanos, 40n);
    await order.refund("r1", 60n);
    assert.deepEqual(await order.money(), [0n, 0n, 0n, 0n]);
    assert.equal((await order.read()).order?.state, RechargeState.DISPUTED);
  });

  it("takes given credit with it that is no longer covered", async () => {
    const order = await creditedOrder();
    await spend(order.accountId, 90n);
    await giveCredit(order.accountId, 30n);
    await giveCredit(order.accountId, 5n);
    await order.dispute("d1", 25n);
    assert.deepEqual(await order.money(), [20n, 0n, 110n, 0n]);
    assert.deepEqual(await creditLeft(order.accountId), [5n, 15n]);
    await order.dispute("d2", 75n);
    assert.deepEqual(await order.money(), [0n, 0n, 35n, 55n]);
    assert.deepEqual(await creditLeft(order.accountId), [0n, 0n]);
  });

  it("takes what a lease does not hold first, and the lease can still be settled", async () => {
    const order = await creditedOrder();
    const ask = { requestId: uniqueRequest(), accountId: order.accountId, service: "llm" };
    const { lease } = await client().checkQuota({ ...ask, estimatedCost: dollars(60n) });
    await order.dispute("d1", 100n);
    assert.deepEqual(await order.money(), [0n, 60n, 0n, 60n]);
    await client().deductQuota({
      ...{ requestId: uniqueRequest(), accountId: order.accountId, leaseId: lease?.id ?? "" },
      ...{ epoch: lease?.epoch ?? 0n, close: true },
      charges: [{ requestId: uniqueRequest(), amount: { amountNanos: 50n } }],
    });
    assert.deepEqual(await order.money(), [0n, 0n, 0n, 50n]);
  });

  it("is kept apart from order to order, also under one reversal id", async () => {
    const first = await creditedOrder();
    const second = await creditedOrder(first.accountId);
    await first.refund("same", 100n);
    await second.refund("same", 10n);
    assert.deepEqual(await first.money(), [90n, 0n, 90n, 0n]);
  });
});

describe("what cannot be", () => {
  it("an order that was never credited has nothing to take", async () => {
    const { accountId } = await openAccount(billing);
    const request = { requestId: uniqueRequest(), accountId, amount: dollars(5n) };
    const { order } = await client().recharge(request);
    const named = { paymentOrderId: order?.paymentOrderId ?? "", reversalId: "r1" };
    const amount = dollars(5n);
    await assert.rejects(
      client().reverseRecharge({ ...named, kind: ReversalKind.REFUND, amount }),
      { reason: "ORDER_WRONG_STATE", metadata: { state: "PENDING", reversal_state: "" } },
    );
    await assert.rejects(client().reserveRefund({ ...named, amount }), {
      reason: "REFUND_EXCEEDS_UNSPENT",
      metadata: { refundable: "0" },
    });
  });

  it("a reversal that nobody has heard of cannot be given back", async () => {
    const order = await creditedOrder();
    await assert.rejects(order.reinstate("d1"), { reason: "REVERSAL_NOT_FOUND" });
  });

  // biome-ignore format: a table is read by column
  const faults: [name: string, reason: string, change: object][] = [
    ["an unknown order",       "ORDER_NOT_FOUND",   { paymentOrderId: `rco_${"0".repeat(32)}` }],
    ["another currency",       "CURRENCY_MISMATCH", { amount: { currencyCode: "EUR", amountNanos: 1n } }],
    ["nothing",                "INVALID_ARGUMENT",  { amount: { amountNanos: 0n } }],
    ["less than nothing",      "INVALID_ARGUMENT",  { amount: { amountNanos: -1n } }],
    ["a reversal without an id", "INVALID_ARGUMENT", { reversalId: "" }],
  ];
  for (const [name, reason, change] of faults) {
    it(`both ways of taking money refuse ${name}`, async () => {
      const { paymentOrderId } = await creditedOrder();
      const request = { paymentOrderId, reversalId: "r1", amount: dollars(1n), ...change };
      await assert.rejects(client().reserveRefund(request), { reason });
      const reverse = { ...request, kind: ReversalKind.REFUND };
      await assert.rejects(client().reverseRecharge(reverse), { reason });
    });
  }

  it("an id as long as the contract allows fits the ledger", async () => {
    const order = await creditedOrder();
    const id = "x".repeat(128);
    await order.dispute(id, 10n);
    await order.reinstate(id);
    assert.deepEqual(await order.money(), [100n, 0n, 100n, 0n]);
  });
});
