import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { RefundOrigin, RefundState } from "@farebox/proto/farebox/payment/v1/payment";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { seededRandom } from "../src/faults/seeded-random.ts";
import {
  awaitMoney,
  type BegunRecharge,
  beginRecharge,
  moneyOf,
  type PaymentUnderTest,
  startPaymentForTest,
} from "./payment-under-test.ts";

// Refunds and disputes whose processes died half-way, or whose word came before that of the payment.

let under: PaymentUnderTest;
before(async () => {
  under = await startPaymentForTest();
});
after(async () => {
  const { drifts } = await under.operations.runReconciliation({ accountId: "" });
  assert.deepEqual(drifts, []);
  await under[Symbol.asyncDispose]();
});

const fourDollars = { amountNanos: 4_000_000_000n, currencyCode: "USD" };
const card = { kind: "card", card: "4242424242424242" } as const;

function intentOf({ sessionId }: BegunRecharge): string {
  return String(under.emulator.state.sessions.get(sessionId)?.payment_intent);
}

async function paid(): Promise<BegunRecharge> {
  const begun = await beginRecharge(under, 10);
  under.emulator.till.pay(begun.sessionId, card);
  await awaitMoney(under, begun.accountId, [1000, 0, 1000, 0]);
  await under.emulator.webhooks.drained();
  return begun;
}

/** Paid at Stripe, and no webhook says so. */
async function paidUnheard(): Promise<BegunRecharge> {
  const begun = await beginRecharge(under, 10);
  under.emulator.webhooks.knobs.drop = 1_000;
  under.emulator.till.pay(begun.sessionId, card);
  await under.emulator.webhooks.drained();
  under.emulator.webhooks.knobs.drop = 0;
  return begun;
}

describe("a process that died after Billing answered and before it was noted", () => {
  for (const allowDebt of [false, true]) {
    it(`gives back a refund that then fails (allow_debt ${allowDebt})`, async () => {
      const begun = await paid();
      const { paymentId } = begun;
      const client = allowDebt ? under.payments : under.asKey(begun.key);
      const request = { requestId: "a", paymentId, amount: fourDollars, allowDebt };
      const { refund } = await client.refundPayment(request);
      await under.emulator.webhooks.drained();
      await under.pool.query("UPDATE refund SET state = 'PENDING', told = 'TAKING' WHERE id = ?", [
        Buffer.from((refund?.id ?? "").slice(4), "hex"),
      ]);
      under.emulator.till.endRefund(refund?.providerRefundId ?? "", "failed");
      await awaitMoney(under, begun.accountId, [1000, 0, 1000, 0]);
    });
  }

  it("gives back a dispute that is then won", async () => {
    const begun = await paid();
    const dispute = under.emulator.till.dispute(intentOf(begun));
    await awaitMoney(under, begun.accountId, [0, 0, 0, 0]);
    await under.emulator.webhooks.drained();
    await awaitCondition("the dispute's events to be done", async () => {
      const [result] = await under.pool.query(
        "UPDATE dispute SET told = 'TAKING' WHERE id = ? AND told = 'REVERSED'",
        [dispute.id],
      );
      return "affectedRows" in result && result.affectedRows === 1;
    });
    under.emulator.till.closeDispute(dispute.id, "won");
    await awaitMoney(under, begun.accountId, [1000, 0, 1000, 0]);
  });
});

describe("word that comes before that of the payment", () => {
  it("of a refund made at Stripe's own site credits first and reverses then", async () => {
    const begun = await paidUnheard();
    under.emulator.till.refund({ payment_intent: intentOf(begun), amount: 250 });
    await awaitMoney(under, begun.accountId, [750, 0, 750, 0]);
    const { refunds } = await under.payments.listRefunds({ paymentId: begun.paymentId });
    assert.deepEqual(
      refunds.map(({ origin, state }) => [origin, state]),
      [[RefundOrigin.PROVIDER, RefundState.SUCCEEDED]],
    );
  });

  it("of a dispute credits first and takes then", async () => {
    const begun = await paidUnheard();
    under.emulator.till.dispute(intentOf(begun), 400);
    await awaitMoney(under, begun.accountId, [600, 0, 600, 0]);
  });
});

describe("another account's payment", () => {
  it("is not found by who would refund it", async () => {
    const begun = await paid();
    const other = await under.newCustomer();
    const request = { requestId: "a", paymentId: begun.paymentId };
    await assert.rejects(under.asKey(other.key).refundPayment(request), {
      reason: "PAYMENT_NOT_FOUND",
    });
    const { refunds } = await under.asKey(other.key).listRefunds({ paymentId: begun.paymentId });
    assert.deepEqual(refunds, []);
    await awaitMoney(under, begun.accountId, [1000, 0, 1000, 0]);
  });
});

describe("refunds and disputes at random", () => {
  const random = seededRandom();
  console.log(`FAREBOX_TEST_SEED=${random.seed}`);

  it("leave as much credit as Stripe keeps, and as Payment says", async () => {
    const { till, faults, webhooks, state } = under.emulator;
    const lives = await Promise.all([1, 2, 3].map(() => beginRecharge(under, 200)));
    for (const { sessionId } of lives) till.pay(sessionId, card);
    for (const { accountId } of lives) await awaitMoney(under, accountId, [20000, 0, 20000, 0]);
    const disputed = new Set<BegunRecharge>();
    // At most 45 times two dollars: never more than was paid, so that nothing is cut off.
    for (let step = 0; step < 45; step += 1) {
      const life = random.pick(lives);
      const { paymentId } = life;
      if (random.below(3) === 0) {
        const fault = random.pick(["cut_before", "cut_after", "500_after"] as const);
        faults.add(fault, { times: 1, path: "", method: "" });
      }
      webhooks.knobs.drop = random.below(4) === 0 ? 1 : 0;
      const cents = 1 + random.below(200);
      const amount = { amountNanos: BigInt(cents) * 10_000_000n, currencyCode: "USD" };
      const request = { requestId: `life-${step}`, paymentId, amount };
      const act = random.below(5);
      if (act === 0) {
        const charges = [{ requestId: `life-${step}`, amount }];
        await under.billing.deductQuota({ ...request, accountId: life.accountId, charges });
      }
      // One whose answer was lost goes on by itself.
      if (act === 1) {
        const asked = under.asKey(life.key).refundPayment(request);
        await asked.catch((error) => assert.equal(error.reason, "PAYMENT_UNAVAILABLE"));
      }
      // Stripe refunds nothing of what is disputed.
      if (act === 2 && !disputed.has(life)) {
        till.refund({ payment_intent: intentOf(life), amount: String(cents) });
      }
      if (act === 3 && !disputed.has(life)) {
        disputed.add(life);
        till.dispute(intentOf(life), cents);
      }
      if (act === 4) {
        const open = [...state.disputes.values()].filter((it) => it.status === "needs_response");
        const ours = open.filter((it) => lives.some((at) => intentOf(at) === it.payment_intent));
        if (ours.length > 0) {
          till.closeDispute(random.pick(ours).id, random.pick(["won", "lost"] as const));
        }
      }
    }
    faults.clear();
    webhooks.knobs.drop = 0;
    await webhooks.drained();
    for (const life of lives) {
      await awaitCondition(
        `the books of ${life.paymentId} agree`,
        async () => {
          await under.paymentOperations.reconcilePayments({});
          const refunded = [...state.refunds.values()]
            .filter((it) => it.payment_intent === intentOf(life) && it.status === "succeeded")
            .reduce((total, it) => total + it.amount, 0);
          const withdrawn = [...state.disputes.values()]
            .filter((it) => it.payment_intent === intentOf(life))
            .flatMap((it) => it.balance_transactions)
            .reduce((total, it) => total - it.amount, 0);
          const { payment } = await under.payments.getPayment({ paymentId: life.paymentId });
          const [, held] = await moneyOf(under, life.accountId);
          const { order } = await under.billing.getRechargeOrder({ paymentOrderId: life.orderId });
          const toCents = (nanos: bigint | undefined) => Number(nanos ?? 0n) / 10_000_000;
          return (
            held === 0 &&
            toCents(payment?.refunded?.amountNanos) === refunded &&
            toCents(payment?.disputed?.amountNanos) === withdrawn &&
            toCents(order?.reversed?.amountNanos) === refunded + withdrawn
          );
        },
        100_000,
      );
    }
  });
});
