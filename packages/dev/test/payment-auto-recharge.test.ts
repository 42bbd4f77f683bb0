import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { AppError } from "@farebox/kit/app-error";
import { newUuidText } from "@farebox/kit/ids";
import type { AutoRecharge } from "@farebox/proto/farebox/payment/v1/payment";
import type { RowDataPacket } from "mysql2/promise";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { awaitMoney, type PaymentUnderTest, startPaymentForTest } from "./payment-under-test.ts";
import { type Customer, saveCard, savedCards } from "./save-card.ts";

// Accounts that pay in by themselves, as two processes of Payment look at them side by side.

let under: PaymentUnderTest;
before(async () => {
  under = await startPaymentForTest();
  await under.startAnother();
});
afterEach(() => under.emulator.faults.clear());
after(async () => {
  const { drifts } = await under.operations.runReconciliation({ accountId: "" });
  assert.deepEqual(drifts, []);
  await under[Symbol.asyncDispose]();
});

const usd = (dollars: number) => ({
  amountNanos: BigInt(dollars) * 1_000_000_000n,
  currencyCode: "USD",
});
/** Below five dollars, ten are paid in. */
const terms = { enabled: true, threshold: usd(5), amount: usd(10) };

async function customerWith(card: string): Promise<Customer> {
  const customer = await under.newCustomer();
  await saveCard(under, customer, card);
  return customer;
}

const clientOf = ({ key }: Customer) => under.asKey(key);

async function settingOf(customer: Customer): Promise<AutoRecharge | undefined> {
  return (await clientOf(customer).getAutoRecharge({})).autoRecharge;
}

/** Takes back what was paid in last, so that the balance falls. */
async function fall(customer: Customer): Promise<void> {
  const { payments } = await clientOf(customer).listPayments({});
  const paymentId = payments[0]?.id ?? "";
  await clientOf(customer).refundPayment({ requestId: newUuidText(), paymentId });
}

/** How its attempts ended, oldest first. */
async function attemptsOf({ accountId }: Customer): Promise<unknown[]> {
  const [rows] = await under.pool.query<RowDataPacket[]>(
    "SELECT state, reason FROM auto_recharge_attempt WHERE account_id = ? ORDER BY id",
    [accountId],
  );
  return rows.map(({ state, reason }) => (reason === "" ? state : `${state} ${reason}`));
}

const awaitAttempts = (customer: Customer, count: number) =>
  awaitCondition("the attempts to end", async () => {
    const attempts = await attemptsOf(customer);
    return attempts.length === count && !attempts.includes("OPEN");
  });

/** When the account is looked at next; null for never. */
async function lookTimeOf({ accountId }: Customer): Promise<string | null> {
  const [rows] = await under.pool.query<(RowDataPacket & { readonly at: string | null })[]>(
    "SELECT CAST(check_time AS CHAR) AS at FROM auto_recharge WHERE account_id = ?",
    [accountId],
  );
  return rows[0]?.at ?? null;
}

/** Waits until the account has been looked at twice from now on. */
async function awaitTwoLooks(customer: Customer): Promise<void> {
  const seen = new Set<string | null>();
  await awaitCondition("two looks at the balance", async () => {
    seen.add(await lookTimeOf(customer));
    return seen.size > 4;
  });
}

/** Waits until the account is left alone for most of a day. */
const awaitFarLook = ({ accountId }: Customer) =>
  awaitCondition("a far look", async () => {
    const [rows] = await under.pool.query<RowDataPacket[]>(
      "SELECT check_time > UTC_TIMESTAMP() + INTERVAL 20 HOUR AS is_far FROM auto_recharge WHERE account_id = ?",
      [accountId],
    );
    return Number(rows[0]?.is_far) === 1;
  });

/** As if it had failed long ago, or been tried long ago. */
async function letTimePass({ accountId }: Customer): Promise<void> {
  await under.pool.query(
    "UPDATE auto_recharge SET next_attempt_time = UTC_TIMESTAMP(3), check_time = UTC_TIMESTAMP(3) WHERE account_id = ?",
    [accountId],
  );
}

function collectedFor({ accountId }: Customer): number {
  const intents = [...under.emulator.state.intents.values()];
  return intents
    .filter(({ metadata, status }) => metadata.account_id === accountId && status === "succeeded")
    .reduce((sum, { amount_received }) => sum + amount_received, 0);
}

describe("an account that recharges by itself", () => {
  it("pays in once for each fall of its balance", async () => {
    const customer = await customerWith(savedCards.pays);
    await clientOf(customer).setAutoRecharge(terms);
    await awaitMoney(under, customer.accountId, [1000, 0, 1000, 0]);
    await awaitTwoLooks(customer);
    assert.equal(collectedFor(customer), 1000);
    await fall(customer);
    await awaitAttempts(customer, 2);
    await awaitMoney(under, customer.accountId, [1000, 0, 1000, 0]);
    await awaitTwoLooks(customer);
    assert.equal(collectedFor(customer), 2000);
    assert.deepEqual(await attemptsOf(customer), ["PAID", "PAID"]);
  });

  it("does nothing while the balance is at the threshold", async () => {
    const customer = await customerWith(savedCards.pays);
    await clientOf(customer).setAutoRecharge({ ...terms, threshold: usd(0) });
    await awaitTwoLooks(customer);
    assert.deepEqual(await attemptsOf(customer), []);
    assert.equal(collectedFor(customer), 0);
  });

  it("does nothing while it is switched off, when another account would be charged", async () => {
    const off = await customerWith(savedCards.pays);
    const on = await customerWith(savedCards.pays);
    await clientOf(off).setAutoRecharge({ ...terms, enabled: false });
    await clientOf(on).setAutoRecharge(terms);
    await awaitAttempts(on, 1);
    await awaitTwoLooks(on);
    assert.equal(await lookTimeOf(off), null);
    assert.deepEqual(await attemptsOf(off), []);
    assert.equal(collectedFor(off), 0);
    await clientOf(off).setAutoRecharge(terms);
    await awaitAttempts(off, 1);
    assert.equal(collectedFor(off), 1000);
  });

  it("is not switched off by an attempt that was begun before it was set anew", async () => {
    const customer = await customerWith(savedCards.asks);
    const client = clientOf(customer);
    await client.setAutoRecharge({ ...terms, threshold: usd(0) });
    const { paymentMethods } = await client.listPaymentMethods({});
    await under.pool.query(
      `INSERT INTO auto_recharge_attempt (id, account_id, currency_code, amount, payment_method_id, state, is_open, due_time, create_time)
       VALUES (UNHEX(?), ?, 'USD', 10000000000, UNHEX(?), 'OPEN', 1, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) - INTERVAL 1 HOUR)`,
      [newUuidText().replaceAll("-", ""), customer.accountId, paymentMethods[0]?.id.slice(4)],
    );
    await awaitAttempts(customer, 1);
    assert.deepEqual(await attemptsOf(customer), ["FAILED authentication_required"]);
    const setting = await settingOf(customer);
    assert.deepEqual([setting?.enabled, setting?.failedAttempts], [true, 0]);
  });

  it("pauses after a decline and is switched off by the fourth", async () => {
    const customer = await customerWith(savedCards.declines);
    await clientOf(customer).setAutoRecharge({ ...terms, attemptsPerDay: 100 });
    for (const failed of [1, 2, 3]) {
      await awaitAttempts(customer, failed);
      const setting = await awaitCondition("the failure", async () => {
        const found = await settingOf(customer);
        return found?.failedAttempts === failed ? found : undefined;
      });
      assert.equal(setting.enabled, true);
      assert(setting.nextAttemptTime !== undefined);
      await letTimePass(customer);
    }
    const setting = await awaitCondition("the end", async () => {
      const found = await settingOf(customer);
      return found?.enabled === false ? found : undefined;
    });
    assert.equal(setting.disabledReason, "generic_decline");
    assert.equal((await attemptsOf(customer)).length, 4);
    const again = await clientOf(customer).setAutoRecharge({ ...terms, attemptsPerDay: 1 });
    assert.deepEqual(
      [again.autoRecharge?.failedAttempts, again.autoRecharge?.disabledReason],
      [0, ""],
    );
    await awaitFarLook(customer);
    assert.equal((await attemptsOf(customer)).length, 4);
  });

  it("is switched off at once when the bank wants to see the payer", async () => {
    const customer = await customerWith(savedCards.asks);
    await clientOf(customer).setAutoRecharge(terms);
    await awaitAttempts(customer, 1);
    const setting = await settingOf(customer);
    assert.deepEqual(
      [setting?.enabled, setting?.disabledReason],
      [false, "authentication_required"],
    );
    assert.deepEqual(await attemptsOf(customer), ["FAILED authentication_required"]);
  });

  it("is switched off when its card is removed", async () => {
    const customer = await customerWith(savedCards.pays);
    await clientOf(customer).setAutoRecharge(terms);
    await awaitMoney(under, customer.accountId, [1000, 0, 1000, 0]);
    const { paymentMethods } = await clientOf(customer).listPaymentMethods({});
    const paymentMethodId = paymentMethods[0]?.id ?? "";
    await clientOf(customer).removePaymentMethod({ paymentMethodId });
    await fall(customer);
    await awaitCondition("the end", async () => (await settingOf(customer))?.enabled === false);
    assert.equal((await settingOf(customer))?.disabledReason, "PAYMENT_METHOD_NOT_FOUND");
  });

  it("keeps to its limit of 30 days, and to its attempts of a day", async () => {
    const limited = await customerWith(savedCards.pays);
    const rare = await customerWith(savedCards.pays);
    const limitPerMonth = usd(19);
    await clientOf(limited).setAutoRecharge({ ...terms, limitPerMonth, attemptsPerDay: 100 });
    await clientOf(rare).setAutoRecharge({ ...terms, attemptsPerDay: 1 });
    for (const customer of [limited, rare]) {
      await awaitMoney(under, customer.accountId, [1000, 0, 1000, 0]);
      await fall(customer);
      await awaitMoney(under, customer.accountId, [0, 0, 0, 0]);
      await awaitFarLook(customer);
      assert.deepEqual(await attemptsOf(customer), ["PAID"]);
    }
  });

  for (const fault of ["cut_before", "cut_after", "429", "500_after", "500_kept"] as const) {
    it(`is charged once when Stripe answers ${fault}`, async () => {
      const customer = await customerWith(savedCards.pays);
      under.emulator.faults.add(fault, { times: 3, path: "payment_intents", method: "POST" });
      await clientOf(customer).setAutoRecharge(terms);
      await awaitMoney(under, customer.accountId, [1000, 0, 1000, 0]);
      await awaitAttempts(customer, 1);
      assert.equal(collectedFor(customer), 1000);
      assert.deepEqual(await attemptsOf(customer), ["PAID"]);
    });
  }

  it("goes on with an attempt whose process died before it asked for anything", async () => {
    const customer = await customerWith(savedCards.pays);
    const { paymentMethods } = await clientOf(customer).listPaymentMethods({});
    const client = clientOf(customer);
    await client.setAutoRecharge({ ...terms, threshold: usd(0) });
    await under.pool.query(
      `INSERT INTO auto_recharge_attempt (id, account_id, currency_code, amount, payment_method_id, state, is_open, due_time, create_time)
       VALUES (UNHEX(?), ?, 'USD', 10000000000, UNHEX(?), 'OPEN', 1, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))`,
      [newUuidText().replaceAll("-", ""), customer.accountId, paymentMethods[0]?.id.slice(4)],
    );
    await awaitMoney(under, customer.accountId, [1000, 0, 1000, 0]);
    await awaitAttempts(customer, 1);
    assert.equal(collectedFor(customer), 1000);
  });

  it("pays in once each, however many fall at once", async () => {
    const customers = await Promise.all(
      Array.from({ length: 20 }, () => customerWith(savedCards.pays)),
    );
    await Promise.all(customers.map((customer) => clientOf(customer).setAutoRecharge(terms)));
    for (const customer of customers) {
      await awaitMoney(under, customer.accountId, [1000, 0, 1000, 0]);
    }
    await Promise.all(customers.map(awaitTwoLooks));
    assert.deepEqual(new Set(customers.map(collectedFor)), new Set([1000]));
  });
});

describe("setting it", () => {
  it("answers what was never set as switched off", async () => {
    const setting = await settingOf(await under.newCustomer());
    assert.equal(setting?.enabled, false);
  });

  const refusals = [
    ["no amount", { amount: undefined }, "AMOUNT_NOT_PAYABLE", "amount"],
    ["a part of a cent", { amount: { amountNanos: 1n } }, "AMOUNT_NOT_PAYABLE", "amount"],
    ["a negative threshold", { threshold: usd(-1) }, "INVALID_ARGUMENT", "threshold"],
    [
      "another currency",
      { amount: { ...usd(1), currencyCode: "EUR" } },
      "CURRENCY_MISMATCH",
      "amount.currency_code",
    ],
    ["a limit below the amount", { limitPerMonth: usd(9) }, "INVALID_ARGUMENT", "limit_per_month"],
    ["too many attempts", { attemptsPerDay: 101 }, "INVALID_ARGUMENT", "attempts_per_day"],
    [
      "no such card",
      { paymentMethodId: `pmt_${"0".repeat(32)}` },
      "PAYMENT_METHOD_NOT_FOUND",
      undefined,
    ],
  ] as const;
  for (const [name, wrong, reason, field] of refusals) {
    it(`refuses ${name}`, async () => {
      const customer = await customerWith(savedCards.pays);
      await assert.rejects(clientOf(customer).setAutoRecharge({ ...terms, ...wrong }), (error) => {
        assert(error instanceof AppError);
        assert.deepEqual([error.reason, error.metadata.field], [reason, field]);
        return true;
      });
      assert.equal((await settingOf(customer))?.enabled, false);
    });
  }

  it("refuses an account without a saved card", async () => {
    const customer = await under.newCustomer();
    await assert.rejects(clientOf(customer).setAutoRecharge(terms), {
      reason: "PAYMENT_METHOD_NOT_FOUND",
    });
  });
});
