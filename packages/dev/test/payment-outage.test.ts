import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { newUuidText } from "@farebox/kit/ids";
import { parseNanos } from "@farebox/kit/money";
import type { RowDataPacket } from "mysql2/promise";
import { awaitCondition } from "../src/faults/await-condition.ts";
import {
  awaitMoney,
  beginRecharge,
  type PaymentUnderTest,
  startPaymentForTest,
} from "./payment-under-test.ts";
import { saveCard, savedCards } from "./save-card.ts";

// Stripe away for an hour, every currency that is counted oddly, and what the log gives away meanwhile.

let under: PaymentUnderTest;
before(async () => {
  under = await startPaymentForTest();
});
after(async () => {
  const { drifts } = await under.operations.runReconciliation({ accountId: "" });
  assert.deepEqual(drifts, []);
  await under[Symbol.asyncDispose]();
});

const card = { kind: "card", card: savedCards.pays } as const;
const tenDollars = { amountNanos: 10_000_000_000n, currencyCode: "USD" };

/** As if that much time had gone by. */
async function letHoursPass(hours: number): Promise<void> {
  for (const table of ["payment", "refund", "provider_event"]) {
    await under.pool.query(
      "UPDATE ?? SET create_time = create_time - INTERVAL ? HOUR, due_time = due_time - INTERVAL ? HOUR",
      [table, hours, hours],
    );
  }
}

describe("an hour without Stripe, and without a webhook", () => {
  it("leaves nothing pending: what was paid is credited, what was asked for is done once", async () => {
    const { emulator } = under;
    const pages = await Promise.all(Array.from({ length: 8 }, () => beginRecharge(under, 10)));
    const refunded = await beginRecharge(under, 10);
    emulator.till.pay(refunded.sessionId, card);
    await awaitMoney(under, refunded.accountId, [1000, 0, 1000, 0]);
    const saver = await under.newCustomer();
    const paymentMethodId = await saveCard(under, saver);

    emulator.faults.add("cut_before", { times: 1_000_000, path: "", method: "" });
    emulator.webhooks.knobs.drop = 1_000_000;
    for (const { sessionId } of pages) emulator.till.pay(sessionId, card);
    const { accountId } = saver;
    const charge = { requestId: "by card", accountId, amount: tenDollars, paymentMethodId };
    const refund = { requestId: "back", paymentId: refunded.paymentId };
    const unavailable = { reason: "PAYMENT_UNAVAILABLE" };
    await assert.rejects(under.billing.recharge(charge), unavailable);
    await assert.rejects(under.asKey(refunded.key).refundPayment(refund), unavailable);
    await assert.rejects(under.paymentOperations.reconcilePayments({}), unavailable);
    await letHoursPass(1);
    emulator.faults.clear();
    emulator.webhooks.knobs.drop = 0;

    await under.paymentOperations.reconcilePayments({});
    for (const page of pages) await awaitMoney(under, page.accountId, [1000, 0, 1000, 0]);
    await awaitMoney(under, accountId, [1000, 0, 1000, 0]);
    await awaitMoney(under, refunded.accountId, [0, 0, 0, 0]);
    await awaitCondition("nothing to be pending", async () => {
      const [open] = await under.pool.query<RowDataPacket[]>(
        `SELECT state FROM payment WHERE is_told = 0 UNION ALL
         SELECT state FROM refund WHERE state NOT IN ('SUCCEEDED', 'FAILED') UNION ALL
         SELECT state FROM provider_event WHERE state IN ('PENDING', 'PARKED')`,
      );
      return open.length === 0;
    });
    const charges = [...emulator.state.intents.values()].filter(
      ({ metadata, status }) => metadata.account_id === accountId && status === "succeeded",
    );
    assert.equal(charges.length, 1);
    assert.equal(emulator.state.refunds.size, 1);
  });
});

describe("a currency that is counted oddly", () => {
  for (const [currencyCode, amount, minor, odd] of [
    ["JPY", "500", 500, "0.5"],
    ["KWD", "5.01", 5010, "5.001"],
    ["UGX", "5000", 500_000, "0.5"],
    ["HUF", "1050.5", 105_050, "0.001"],
  ] as const) {
    it(`${currencyCode} ${amount} is ${minor} at Stripe, and ${amount} of credit`, async () => {
      const { account } = await under.accounts.createAccount({
        requestId: newUuidText(),
        currencyCode,
      });
      const accountId = account?.id ?? "";
      const amountNanos = parseNanos(amount) ?? 0n;
      const money = { amountNanos, currencyCode };
      const request = { requestId: newUuidText(), accountId, amount: money };
      const { order } = await under.billing.recharge(request);
      const paymentId = order?.paymentId ?? "";
      const { payment } = await under.payments.getPayment({ paymentId });
      const sessionId = payment?.providerIds.checkout_session ?? "";
      assert.equal(under.emulator.state.sessions.get(sessionId)?.amount_total, minor);
      under.emulator.till.pay(sessionId, card);
      await awaitCondition("the credit", async () => {
        const { balance } = await under.billing.checkBalance({ accountId });
        return balance?.available?.amountNanos === amountNanos;
      });
      const part = { amountNanos: parseNanos(odd) ?? 0n, currencyCode };
      await assert.rejects(
        under.payments.refundPayment({ requestId: "odd", paymentId, accountId, amount: part }),
        { reason: "AMOUNT_NOT_PAYABLE" },
      );
      await under.payments.refundPayment({ requestId: "all", paymentId, accountId });
      await awaitCondition("the refund", async () => {
        const { balance } = await under.billing.checkBalance({ accountId });
        return balance?.available?.amountNanos === 0n;
      });
    });
  }
});

describe("the log of Payment", () => {
  it("gives away no key, no secret and no card", async () => {
    const customer = await under.newCustomer();
    await saveCard(under, customer);
    await assert.rejects(under.asKey(`${customer.key}x`).listPaymentMethods({}), {
      reason: "UNAUTHENTICATED",
    });
    const all = under.logged.join("");
    assert.ok(all.includes("payment_method.saved"));
    for (const secret of [
      ...[customer.key, under.emulator.secretKey, under.emulator.webhookSecret],
      ...["a-service-token-for-tests", "a-pepper-for-tests-only", "page-tokens-for-tests"],
      ...["4242424242424242", "4242 4242 4242 4242"],
    ]) {
      assert.ok(!all.includes(secret));
    }
  });
});
