import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import Stripe from "stripe";
import {
  awaitMoney,
  type BegunRecharge,
  beginRecharge,
  type PaymentUnderTest,
  startPaymentForTest,
} from "./payment-under-test.ts";

// What tells of a payment, in every order that it can come in: the credit is the same, and it is one.

let under: PaymentUnderTest;
before(async () => {
  under = await startPaymentForTest();
});
after(async () => {
  const { drifts } = await under.operations.runReconciliation({ accountId: "" });
  assert.deepEqual(drifts, []);
  await under[Symbol.asyncDispose]();
});

type Word = (begun: BegunRecharge) => Promise<unknown>;

const words: readonly Word[] = [
  (begun) => hear(begun, "checkout.session.completed"),
  (begun) => hear(begun, "payment_intent.succeeded"),
  ({ paymentId }) => fetch(`${under.returnUrl}?payment=${paymentId}`).then((it) => it.text()),
  () => reconcileNext(),
  // The same event once more.
  (begun) => hear(begun, "checkout.session.completed"),
];

/** Posts the event that Stripe made of a payment, as Stripe would. */
async function hear({ paymentId }: BegunRecharge, type: string): Promise<void> {
  const event = [...under.emulator.state.events.values()].find(
    ({ type: is, data }) =>
      is === type && JSON.stringify(data.object).includes(`"payment_id":"${paymentId}"`),
  );
  assert(event, `${type} of ${paymentId}`);
  const payload = JSON.stringify(event);
  const secret = under.emulator.webhookSecret;
  const signature = new Stripe("sk_test_signs").webhooks.generateTestHeaderString({
    payload,
    secret,
  });
  const answer = await fetch(under.webhookUrl, {
    method: "POST",
    headers: { "stripe-signature": signature },
    body: payload,
  });
  assert.equal(answer.status, 200);
}

let running: Promise<unknown> = Promise.resolve();
let next: Promise<unknown> | undefined;

/** A comparison that begins after now; those who ask meanwhile share it. */
function reconcileNext(): Promise<unknown> {
  next ??= running.then(() => {
    next = undefined;
    running = under.paymentOperations.reconcilePayments({});
    return running;
  });
  return next;
}

function ordersOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, at) =>
    ordersOf(items.toSpliced(at, 1)).map((rest) => [first, ...rest]),
  );
}

it("is credited once in all 120 orders of session, intent, page, reconciler and repetition at once", async () => {
  const orders = ordersOf(words);
  assert.equal(orders.length, 120);
  const begun: BegunRecharge[] = [];
  for (let from = 0; from < orders.length; from += 20) {
    const some = orders.slice(from, from + 20).map(() => beginRecharge(under, 10));
    begun.push(...(await Promise.all(some)));
  }
  under.emulator.webhooks.knobs.drop = 1_000;
  for (const { sessionId } of begun) {
    under.emulator.till.pay(sessionId, { kind: "card", card: "4242424242424242" });
  }
  await under.emulator.webhooks.drained();
  await Promise.all(
    orders.map(async (order, at) => {
      const one = begun[at];
      assert(one);
      for (const tell of order) await tell(one);
    }),
  );
  for (const { accountId } of begun) await awaitMoney(under, accountId, [1000, 0, 1000, 0]);
  const [rows] = await under.books.query(
    "SELECT COUNT(*) AS n, COUNT(DISTINCT account_id) AS accounts FROM ledger_entry WHERE kind = 'RECHARGE'",
  );
  assert.equal(
    JSON.stringify(rows, (_, value) => (typeof value === "bigint" ? Number(value) : value)),
    '[{"n":120,"accounts":120}]',
  );
});
