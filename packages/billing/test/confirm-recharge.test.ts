import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { Pool } from "@farebox/kit/mysql";
import { fakeClock } from "@farebox/kit/testing/clock";
import { LedgerKind } from "@farebox/proto/farebox/billing/v1/account";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { RechargeState } from "@farebox/proto/farebox/billing/v1/recharge";
import { MoneySchema } from "@farebox/proto/farebox/common/v1/money";
import type { PoolConnection } from "mysql2/promise";
import { confirmRecharge } from "../src/operations/confirm-recharge.ts";
import { expireRecharges } from "../src/operations/expire-recharges.ts";
import {
  type BillingUnderTest,
  openAccount,
  startBillingForTest,
  uniqueRequest,
} from "./billing-under-test.ts";
import { type FakePayment, startFakePayment } from "./fake-payment.ts";
import { assertConserved } from "./support/assert-conserved.ts";
import { openRechargeRoom } from "./support/recharge-room.ts";

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
const dollars = (amountNanos: bigint) => create(MoneySchema, { amountNanos, currencyCode: "USD" });

/** An account with a pending order, and the payment that has paid it. */
async function openOrder(nanos = 500n) {
  const { accountId } = await openAccount(billing);
  const request = { requestId: uniqueRequest(), accountId, amount: dollars(nanos) };
  const { order } = await client().recharge(request);
  const paymentOrderId = order?.paymentOrderId ?? "";
  const paid = { paymentOrderId, paymentId: order?.paymentId ?? "", amount: dollars(nanos) };
  return { accountId, paymentOrderId, paid };
}

async function fundsOf(accountId: string) {
  const { balance } = await client().checkBalance({ accountId });
  const { available, receivable, credited } = balance ?? {};
  return [available?.amountNanos, receivable?.amountNanos, credited?.amountNanos];
}

describe("ConfirmRecharge", () => {
  it("credits once, whatever tells of the payment and how often at once", async () => {
    const { accountId, paid, paymentOrderId } = await openOrder(500n);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => client().confirmRecharge(paid)),
    );
    const [first] = answers;
    for (const answer of answers) assert.deepEqual(answer, first);
    assert.deepEqual(
      [first?.order?.state, first?.order?.credited?.amountNanos, first?.order?.paymentId],
      [RechargeState.CREDITED, 500n, paid.paymentId],
    );
    assert.ok(first?.order?.creditTime);
    assert.deepEqual(await fundsOf(accountId), [500n, 0n, 500n]);
    const { entries } = await billing.client(AccountService).listLedgerEntries({ accountId });
    assert.deepEqual(
      entries.map((it) => [it.kind, it.reference, it.amount?.amountNanos, it.debit, it.credit]),
      [[LedgerKind.RECHARGE, paymentOrderId.slice(4), 500n, "cash", "customer_funds"]],
    );
  });

  it("pays debt first", async () => {
    const { accountId, paid } = await openOrder(500n);
    await spend(accountId, 200n);
    assert.deepEqual(await fundsOf(accountId), [0n, 200n, 0n]);
    await client().confirmRecharge(paid);
    assert.deepEqual(await fundsOf(accountId), [300n, 0n, 500n]);
  });

  // biome-ignore format: a table is read by column
  const unlike: [name: string, change: object][] = [
    ["more than was asked for", { amount: dollars(501n) }],
    ["less than was asked for", { amount: dollars(499n) }],
    ["another currency",        { amount: { amountNanos: 500n, currencyCode: "EUR" } }],
  ];
  for (const [name, change] of unlike) {
    it(`credits nothing and waits for a person when ${name} was paid`, async () => {
      const { accountId, paid, paymentOrderId } = await openOrder(500n);
      const parked = await client().confirmRecharge({ ...paid, ...change });
      assert.equal(parked.order?.state, RechargeState.PARKED);
      assert.deepEqual(await client().confirmRecharge(paid), parked);
      assert.deepEqual(await fundsOf(accountId), [0n, 0n, 0n]);
      const canceled = client().cancelRecharge({ paymentOrderId, paymentId: paid.paymentId });
      await assert.rejects(canceled, {
        reason: "ORDER_WRONG_STATE",
        metadata: { state: "PARKED" },
      });
    });
  }

  it("refuses a second payment of a credited order, and a payment that paid another", async () => {
    const { paid } = await openOrder();
    await client().confirmRecharge(paid);
    const second = client().confirmRecharge({ ...paid, paymentId: "pay_other" });
    await assert.rejects(second, { reason: "DUPLICATE_RECHARGE" });
    const other = client().confirmRecharge({ ...paid, amount: dollars(1n) });
    await assert.rejects(other, { reason: "DUPLICATE_RECHARGE" });
    const { paid: unpaid, accountId } = await openOrder();
    const reused = client().confirmRecharge({ ...unpaid, paymentId: paid.paymentId });
    await assert.rejects(reused, { reason: "DUPLICATE_RECHARGE" });
    assert.deepEqual(await fundsOf(accountId), [0n, 0n, 0n]);
  });

  it("parks what an account has no room for, and says nothing is lost", async () => {
    const { accountId, paid } = await openOrder(2n);
    const room = { requestId: uniqueRequest(), accountId };
    const amount = { amountNanos: 8_999_999_999_999_999_999n };
    await billing.client(AccountService).grantCredit({ ...room, amount });
    const { order } = await client().confirmRecharge(paid);
    assert.deepEqual([order?.state, order?.credited?.amountNanos], [RechargeState.PARKED, 0n]);
  });

  // biome-ignore format: a table is read by column
  const faults: [name: string, reason: string, change: object][] = [
    ["an unknown order",  "ORDER_NOT_FOUND",  { paymentOrderId: `rco_${"0".repeat(32)}` }],
    ["no currency",       "INVALID_ARGUMENT", { amount: { amountNanos: 500n } }],
    ["nothing",           "INVALID_ARGUMENT", { amount: { amountNanos: 0n, currencyCode: "USD" } }],
    ["a blank payment",   "INVALID_ARGUMENT", { paymentId: "" }],
  ];
  for (const [name, reason, change] of faults) {
    it(`refuses ${name}`, async () => {
      const { paid } = await openOrder();
      await assert.rejects(client().confirmRecharge({ ...paid, ...change }), { reason });
    });
  }

  it("credits once although the answer of its COMMIT was lost", async () => {
    const room = openRechargeRoom(billing.pool);
    const accountId = await room.money.account();
    const order = await room.order(accountId, 70n);
    const paid = { paymentId: `pay_${order.id}`, amount: 70n, currencyCode: "USD" };
    const lossy = { ...room.deps, pool: losingOneAnswer(billing.pool) };
    await assert.rejects(confirmRecharge(lossy, order.id, paid), { reason: "UNAVAILABLE" });
    const again = await confirmRecharge(lossy, order.id, paid);
    assert.deepEqual([again.state, again.credited], ["CREDITED", 70n]);
    assert.deepEqual(await fundsOf(accountId), [70n, 0n, 70n]);
  });
});

describe("CancelRecharge", () => {
  it("ends an order once; money that comes all the same waits for a person", async () => {
    const { accountId, paid, paymentOrderId } = await openOrder();
    const failed = { paymentOrderId, paymentId: paid.paymentId };
    const first = await client().cancelRecharge(failed);
    assert.equal(first.order?.state, RechargeState.CANCELLED);
    assert.deepEqual(await client().cancelRecharge(failed), first);
    const late = await client().confirmRecharge(paid);
    assert.equal(late.order?.state, RechargeState.PARKED);
    assert.deepEqual(await fundsOf(accountId), [0n, 0n, 0n]);
  });

  it("does not end what was credited, and knows no order that is not there", async () => {
    const { paid, paymentOrderId } = await openOrder();
    await client().confirmRecharge(paid);
    const { paymentId } = paid;
    await assert.rejects(client().cancelRecharge({ paymentOrderId, paymentId }), {
      reason: "ORDER_WRONG_STATE",
      metadata: { state: "CREDITED" },
    });
    const unknown = { paymentOrderId: `rco_${"0".repeat(32)}`, paymentId };
    await assert.rejects(client().cancelRecharge(unknown), { reason: "ORDER_NOT_FOUND" });
  });

  it("against a confirmation at the same moment, leaves the money credited or parked, never lost", async () => {
    for (let round = 0; round < 10; round += 1) {
      const { accountId, paid, paymentOrderId } = await openOrder(9n);
      const { paymentId } = paid;
      await Promise.allSettled([
        client().cancelRecharge({ paymentOrderId, paymentId }),
        client().confirmRecharge(paid),
      ]);
      const { order } = await client().getRechargeOrder({ paymentOrderId });
      const isCredited = order?.state === RechargeState.CREDITED;
      assert.ok(isCredited || order?.state === RechargeState.PARKED);
      assert.equal((await fundsOf(accountId))[0], isCredited ? 9n : 0n);
    }
  });
});

describe("expire_recharges", () => {
  it("ends what was not paid in time, an hour later; money that comes later is credited", async () => {
    const { accountId, paid, paymentOrderId } = await openOrder(80n);
    const { order } = await client().getRechargeOrder({ paymentOrderId });
    const endMs = Number(order?.expireTime?.seconds) * 1000;
    assert.equal(await stateAt(paymentOrderId, endMs + 3_590_000), RechargeState.PENDING);
    assert.equal(await stateAt(paymentOrderId, endMs + 3_601_000), RechargeState.EXPIRED);
    const expired = await client().getRechargeOrder({ paymentOrderId });
    assert.equal(expired.order?.paymentUrl, "");
    const { order: credited } = await client().confirmRecharge(paid);
    assert.equal(credited?.state, RechargeState.CREDITED);
    assert.deepEqual(await fundsOf(accountId), [80n, 0n, 80n]);
    assert.equal(await stateAt(paymentOrderId, endMs + 9_999_000), RechargeState.CREDITED);
  });

  it("counts what waits for a person", async () => {
    let parked = -1;
    const { events } = openRechargeRoom(billing.pool).deps;
    const counting = {
      ...events,
      rechargesParkedCounted: (count: number) => {
        parked = count;
      },
    };
    const run = () =>
      expireRecharges({ pool: billing.pool, clock: fakeClock(0), events: counting });
    await run();
    const before = parked;
    const { paid } = await openOrder();
    await client().confirmRecharge({ ...paid, amount: dollars(1n) });
    await run();
    assert.equal(parked, before + 1);
  });

  async function stateAt(paymentOrderId: string, nowMs: number) {
    const { events } = openRechargeRoom(billing.pool).deps;
    await expireRecharges({ pool: billing.pool, clock: fakeClock(nowMs), events });
    return (await client().getRechargeOrder({ paymentOrderId })).order?.state;
  }
});

async function spend(accountId: string, nanos: bigint): Promise<void> {
  const charges = [{ requestId: uniqueRequest(), amount: { amountNanos: nanos } }];
  const { results } = await client().deductQuota({
    requestId: uniqueRequest(),
    accountId,
    charges,
  });
  assert.equal(results[0]?.charged?.amountNanos, nanos);
}

/** A pool whose first COMMIT takes effect and is never answered. */
function losingOneAnswer(pool: Pool): Pool {
  let isLost = false;
  const losing = (tx: PoolConnection): PoolConnection =>
    new Proxy(tx, {
      get: (target, name) => {
        const value = Reflect.get(target, name);
        if (name !== "query") return typeof value === "function" ? value.bind(target) : value;
        return async (...args: Parameters<PoolConnection["query"]>) => {
          const result = await target.query(...args);
          if (args[0] === ("COMMIT" as unknown) && !isLost) {
            isLost = true;
            throw Object.assign(new Error("lost"), { code: "PROTOCOL_CONNECTION_LOST" });
          }
          return result;
        };
      },
    });
  return new Proxy(pool, {
    get: (target, name) => {
      if (name === "getConnection") return async () => losing(await target.getConnection());
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
