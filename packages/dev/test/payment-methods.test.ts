import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { AppError } from "@farebox/kit/app-error";
import { newUuid, newUuidText } from "@farebox/kit/ids";
import { RechargeState } from "@farebox/proto/farebox/billing/v1/recharge";
import { PaymentMethodKind } from "@farebox/proto/farebox/common/v1/payment_method_kind";
import { PaymentState } from "@farebox/proto/farebox/payment/v1/payment";
import { awaitCondition } from "../src/faults/await-condition.ts";
import {
  awaitMoney,
  moneyOf,
  type PaymentUnderTest,
  startPaymentForTest,
} from "./payment-under-test.ts";
import { type Customer, openSetup, saveCard, savedCards } from "./save-card.ts";

// Cards that accounts save, and what is charged by them without the payer.

let under: PaymentUnderTest;
before(async () => {
  under = await startPaymentForTest();
});
afterEach(() => under.emulator.faults.clear());
after(async () => {
  const { drifts } = await under.operations.runReconciliation({ accountId: "" });
  assert.deepEqual(drifts, []);
  await under[Symbol.asyncDispose]();
});

const tenDollars = { amountNanos: 10_000_000_000n, currencyCode: "USD" };

const rechargeBy = (accountId: string, paymentMethodId: string, requestId = newUuidText()) =>
  under.billing.recharge({ requestId, accountId, amount: tenDollars, paymentMethodId });

/** What Stripe has collected for an account, in cents. */
function collectedFor(accountId: string): number {
  const paid = [...under.emulator.state.intents.values()].filter(
    ({ metadata, status }) => metadata.account_id === accountId && status === "succeeded",
  );
  return paid.reduce((sum, { amount_received }) => sum + amount_received, 0);
}

/** The one refusal that is to be repeated. */
function requireUnavailable(error: unknown): void {
  assert(error instanceof AppError);
  assert.equal(error.reason, "PAYMENT_UNAVAILABLE");
}

async function listed({ key }: Customer): Promise<unknown[]> {
  const { paymentMethods } = await under.asKey(key).listPaymentMethods({});
  return paymentMethods.map(({ last4, isDefault }) => [last4, isDefault]);
}

describe("saving a card", () => {
  it("shows it without its number, and the first one is the default", async () => {
    const customer = await under.newCustomer();
    const id = await saveCard(under, customer, "5555 5555 5555 4444");
    const { paymentMethods } = await under.asKey(customer.key).listPaymentMethods({});
    assert.partialDeepStrictEqual(paymentMethods, [
      {
        id,
        accountId: customer.accountId,
        kind: PaymentMethodKind.CARD,
        ...{ brand: "mastercard", last4: "4444", expireMonth: 12, expireYear: 2034 },
        isDefault: true,
      },
    ]);
  });

  it("answers the same page again, and none once it is saved", async () => {
    const customer = await under.newCustomer();
    const client = under.asKey(customer.key);
    const request = { requestId: "card" };
    const answers = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(() => client.addPaymentMethod(request)),
    );
    const urls = new Set(answers.map(({ setupUrl }) => setupUrl));
    assert.equal(urls.size, 1);
    const [url = ""] = urls;
    await assert.rejects(
      client.addPaymentMethod({ ...request, returnUrl: "https://example.com/" }),
      {
        reason: "REQUEST_ID_REUSED",
      },
    );
    under.emulator.till.pay(url.split("/").at(-1) ?? "", { kind: "card", card: savedCards.pays });
    await awaitCondition("the card to be saved", async () => (await listed(customer)).length === 1);
    assert.equal((await client.addPaymentMethod(request)).setupUrl, "");
  });

  it("makes one customer of an account, however many pages are opened at once", async () => {
    const customer = await under.newCustomer();
    await Promise.all([1, 2, 3, 4, 5].map(() => openSetup(under, customer)));
    const made = [...under.emulator.state.customers.values()].filter(
      ({ metadata }) => metadata.account_id === customer.accountId,
    );
    assert.equal(made.length, 1);
  });

  it("is known from the page that the payer comes back to when no webhook says so", async () => {
    const customer = await under.newCustomer();
    const sessionId = await openSetup(under, customer);
    under.emulator.webhooks.knobs.drop = 1_000;
    under.emulator.till.pay(sessionId, { kind: "card", card: savedCards.pays });
    await under.emulator.webhooks.drained();
    under.emulator.webhooks.knobs.drop = 0;
    const { success_url } = under.emulator.state.sessions.get(sessionId) ?? {};
    const back = new URL(success_url ?? "");
    const page = await fetch(`${under.returnUrl}${back.search}`);
    assert.match(await page.text(), /<h1>Saved<\/h1>/);
    assert.deepEqual(await listed(customer), [["4242", true]]);
  });

  it("is known from the janitor when nobody comes back", async () => {
    const customer = await under.newCustomer();
    const sessionId = await openSetup(under, customer);
    under.emulator.webhooks.knobs.drop = 1_000;
    under.emulator.till.pay(sessionId, { kind: "card", card: savedCards.pays });
    await under.emulator.webhooks.drained();
    under.emulator.webhooks.knobs.drop = 0;
    await under.pool.query(
      "UPDATE method_setup SET due_time = UTC_TIMESTAMP(3) WHERE session_id = ?",
      [sessionId],
    );
    await awaitCondition("the card to be saved", async () => (await listed(customer)).length === 1);
  });

  it("is nothing when the card is refused or the page's time is up", async () => {
    const customer = await under.newCustomer();
    const sessionId = await openSetup(under, customer);
    assert.throws(() =>
      under.emulator.till.pay(sessionId, { kind: "card", card: "4000 0000 0000 0002" }),
    );
    under.emulator.till.expire(sessionId);
    await awaitCondition("the setup to end", async () => {
      const [rows] = await under.pool.query("SELECT state FROM method_setup WHERE session_id = ?", [
        sessionId,
      ]);
      return JSON.stringify(rows) === '[{"state":"EXPIRED"}]';
    });
    assert.deepEqual(await listed(customer), []);
  });

  for (const fault of ["cut_before", "cut_after", "429", "500", "500_after"] as const) {
    it(`is asked for again under the same key after ${fault}`, async () => {
      const customer = await under.newCustomer();
      const client = under.asKey(customer.key);
      for (const path of ["customers", "checkout/sessions"]) {
        under.emulator.faults.add(fault, { times: 1, path, method: "POST" });
      }
      const request = { requestId: "card" };
      let setupUrl = "";
      await awaitCondition("a page", async () => {
        try {
          ({ setupUrl } = await client.addPaymentMethod(request));
        } catch (error) {
          requireUnavailable(error);
        }
        return setupUrl !== "";
      });
      const pages = [...under.emulator.state.sessions.values()].filter(
        ({ metadata }) => metadata?.account_id === customer.accountId,
      );
      assert.equal(pages.length, 1);
    });
  }

  it("ends at fifty of them, saved or on their way, however many are asked for at once", async () => {
    const customer = await under.newCustomer();
    await saveCard(under, customer);
    await saveCard(under, customer, "5555 5555 5555 4444");
    const rows = Array.from({ length: 45 }, (_, at) => [
      ...[newUuid(), customer.accountId, 1, `r${at}`, "CARD", "", "PENDING", ""],
      new Date(),
    ]);
    await under.pool.query(
      "INSERT INTO method_setup (id, account_id, is_test, request_id, kind, return_url, state, setup_url, create_time) VALUES ?",
      [rows],
    );
    const answers = await Promise.allSettled(
      Array.from({ length: 8 }, (_, at) =>
        under.asKey(customer.key).addPaymentMethod({ requestId: `at once ${at}` }),
      ),
    );
    assert.equal(answers.filter(({ status }) => status === "fulfilled").length, 3);
    await assert.rejects(under.asKey(customer.key).addPaymentMethod({ requestId: "one more" }), {
      reason: "PAYMENT_METHOD_UNSUITABLE",
      metadata: { field: "account_id", maximum: "50" },
    });
  });

  it("answers the refusal again", async () => {
    const customer = await under.newCustomer();
    const client = under.asKey(customer.key);
    const refused = { reason: "PAYMENT_METHOD_UNSUITABLE", metadata: { field: "kind" } };
    // Gone between the making of the customer and the opening of the page.
    under.emulator.faults.add("cut_before", {
      times: 2,
      path: "checkout/sessions",
      method: "POST",
    });
    await assert.rejects(client.addPaymentMethod({ requestId: "card" }), {
      reason: "PAYMENT_UNAVAILABLE",
    });
    const { customers } = under.emulator.state;
    const made = [...customers.values()].find(
      ({ metadata }) => metadata.account_id === customer.accountId,
    );
    under.emulator.till.deleteCustomer(made?.id ?? "");
    await assert.rejects(client.addPaymentMethod({ requestId: "card" }), refused);
    await assert.rejects(client.addPaymentMethod({ requestId: "card" }), refused);
    await under.emulator.webhooks.drained();
    await saveCard(under, customer);
  });

  it("names what is wrong with the request", async () => {
    const customer = await under.newCustomer();
    const kind = PaymentMethodKind.ALIPAY;
    await assert.rejects(under.asKey(customer.key).addPaymentMethod({ requestId: "a", kind }), {
      reason: "PAYMENT_METHOD_UNSUITABLE",
      metadata: { field: "kind" },
    });
    await assert.rejects(under.payments.addPaymentMethod({ requestId: "a" }), {
      reason: "INVALID_ARGUMENT",
      metadata: { field: "account_id" },
    });
    const accountId = "acc_nobody";
    await assert.rejects(under.payments.addPaymentMethod({ requestId: "a", accountId }), {
      reason: "ACCOUNT_NOT_FOUND",
    });
  });
});

describe("a saved card", () => {
  it("pays at once, without a page, and can be refunded", async () => {
    const customer = await under.newCustomer();
    const id = await saveCard(under, customer);
    const { order, paymentUrl } = await rechargeBy(customer.accountId, id);
    assert.deepEqual([order?.state, paymentUrl], [RechargeState.CREDITED, ""]);
    assert.deepEqual(await moneyOf(under, customer.accountId), [1000, 0, 1000, 0]);
    const paymentId = order?.paymentId ?? "";
    const { payment } = await under.payments.getPayment({ paymentId });
    assert.partialDeepStrictEqual(payment, {
      state: PaymentState.PAID,
      method: PaymentMethodKind.CARD,
      isTest: true,
    });
    await under.asKey(customer.key).refundPayment({ requestId: "back", paymentId });
    await awaitMoney(under, customer.accountId, [0, 0, 0, 0]);
  });

  it("pays once for twenty requests of the same id at once", async () => {
    const customer = await under.newCustomer();
    const id = await saveCard(under, customer);
    const requests = Array.from({ length: 20 }, () => rechargeBy(customer.accountId, id, "top-up"));
    await Promise.allSettled(requests);
    await rechargeBy(customer.accountId, id, "top-up");
    await awaitMoney(under, customer.accountId, [1000, 0, 1000, 0]);
    assert.equal(collectedFor(customer.accountId), 1000);
  });

  for (const [card, declineCode] of [
    [savedCards.declines, "generic_decline"],
    [savedCards.asks, "authentication_required"],
  ] as const) {
    it(`that answers ${declineCode} ends the order, and nothing is credited`, async () => {
      const customer = await under.newCustomer();
      const id = await saveCard(under, customer, card);
      const { order } = await rechargeBy(customer.accountId, id);
      assert.equal(order?.state, RechargeState.CANCELLED);
      const { payment } = await under.payments.getPayment({ paymentId: order?.paymentId ?? "" });
      assert.partialDeepStrictEqual(payment, { state: PaymentState.FAILED, declineCode });
      assert.match(payment?.providerIds.payment_intent ?? "", /^pi_/);
      assert.deepEqual(await moneyOf(under, customer.accountId), [0, 0, 0, 0]);
    });
  }

  for (const fault of ["cut_before", "cut_after", "429", "500", "500_after", "500_kept"] as const) {
    it(`is charged once when Stripe answers ${fault}`, async () => {
      const customer = await under.newCustomer();
      const id = await saveCard(under, customer);
      under.emulator.faults.add(fault, { times: 2, path: "payment_intents", method: "POST" });
      // The janitor may take its turn at the faults, so that the answer may be one or the other.
      await rechargeBy(customer.accountId, id, "top-up").catch(requireUnavailable);
      await awaitMoney(under, customer.accountId, [1000, 0, 1000, 0]);
      assert.equal(collectedFor(customer.accountId), 1000);
      const { order } = await rechargeBy(customer.accountId, id, "top-up");
      assert.equal(order?.state, RechargeState.CREDITED);
    });
  }

  it("of another account is not found, by any call", async () => {
    const owner = await under.newCustomer();
    const paymentMethodId = await saveCard(under, owner);
    const other = await under.newCustomer();
    const client = under.asKey(other.key);
    const notFound = { reason: "PAYMENT_METHOD_NOT_FOUND" };
    await assert.rejects(rechargeBy(other.accountId, paymentMethodId), notFound);
    await assert.rejects(client.removePaymentMethod({ paymentMethodId }), notFound);
    await assert.rejects(client.setDefaultPaymentMethod({ paymentMethodId }), notFound);
    const on = { enabled: true, threshold: tenDollars, amount: tenDollars, paymentMethodId };
    await assert.rejects(client.setAutoRecharge(on), notFound);
    assert.deepEqual((await client.listPaymentMethods({})).paymentMethods, []);
    assert.deepEqual(await listed(owner), [["4242", true]]);
    assert.equal(collectedFor(owner.accountId) + collectedFor(other.accountId), 0);
  });

  it("does not pay in another way than it is", async () => {
    const customer = await under.newCustomer();
    const paymentMethodId = await saveCard(under, customer);
    const request = { requestId: "a", accountId: customer.accountId, amount: tenDollars };
    const method = PaymentMethodKind.ALIPAY;
    await assert.rejects(under.billing.recharge({ ...request, paymentMethodId, method }), {
      reason: "PAYMENT_METHOD_UNSUITABLE",
    });
  });
});

describe("removing a saved card", () => {
  it("makes the newest other one the default, and Stripe forgets it", async () => {
    const customer = await under.newCustomer();
    const client = under.asKey(customer.key);
    const first = await saveCard(under, customer);
    await saveCard(under, customer, "5555 5555 5555 4444");
    await saveCard(under, customer, savedCards.declines);
    await client.removePaymentMethod({ paymentMethodId: first });
    assert.deepEqual(await listed(customer), [
      ["0341", true],
      ["4444", false],
    ]);
    await client.removePaymentMethod({ paymentMethodId: first });
    const attached = [...under.emulator.state.methods.values()].filter(
      ({ customer: of }) =>
        typeof of === "string" &&
        under.emulator.state.customers.get(of)?.metadata.account_id === customer.accountId,
    );
    assert.equal(attached.length, 2);
    await assert.rejects(rechargeBy(customer.accountId, first), {
      reason: "PAYMENT_METHOD_NOT_FOUND",
    });
    await assert.rejects(client.setDefaultPaymentMethod({ paymentMethodId: first }), {
      reason: "PAYMENT_METHOD_NOT_FOUND",
    });
  });

  it("hides it at once and goes on when Stripe does not answer", async () => {
    const customer = await under.newCustomer();
    const client = under.asKey(customer.key);
    const paymentMethodId = await saveCard(under, customer);
    // The client repeats a broken connection once by itself.
    under.emulator.faults.add("cut_before", { times: 2, path: "payment_methods", method: "POST" });
    await assert.rejects(client.removePaymentMethod({ paymentMethodId }), {
      reason: "PAYMENT_UNAVAILABLE",
    });
    assert.deepEqual(await listed(customer), []);
    await awaitCondition("Stripe to forget it", async () =>
      [...under.emulator.state.methods.values()].every(
        ({ customer: of }) => of === null || !isOf(customer, String(of)),
      ),
    );
    await client.removePaymentMethod({ paymentMethodId });
  });

  it("and choosing the default at once leave one default that is saved", async () => {
    const customer = await under.newCustomer();
    const client = under.asKey(customer.key);
    const ids = [];
    for (let count = 0; count < 4; count += 1) ids.push(await saveCard(under, customer));
    const [first = "", second = "", third = ""] = ids;
    await Promise.allSettled([
      client.setDefaultPaymentMethod({ paymentMethodId: second }),
      client.removePaymentMethod({ paymentMethodId: second }),
      client.setDefaultPaymentMethod({ paymentMethodId: third }),
      client.removePaymentMethod({ paymentMethodId: third }),
      client.removePaymentMethod({ paymentMethodId: first }),
    ]);
    const { paymentMethods } = await client.listPaymentMethods({});
    assert.deepEqual(
      paymentMethods.map(({ id, isDefault }) => [id, isDefault]),
      [[ids[3], true]],
    );
  });

  function isOf({ accountId }: Customer, customerId: string): boolean {
    return under.emulator.state.customers.get(customerId)?.metadata.account_id === accountId;
  }
});

describe("what is done at Stripe's own site", () => {
  const onlyMethodOf = ({ accountId }: Customer) => {
    const { methods, customers } = under.emulator.state;
    const found = [...methods.values()].find(
      ({ customer }) => customers.get(String(customer))?.metadata.account_id === accountId,
    );
    return { methodId: found?.id ?? "", customerId: String(found?.customer) };
  };

  it("a card that is renewed shows its new month", async () => {
    const customer = await under.newCustomer();
    await saveCard(under, customer);
    const { methodId } = onlyMethodOf(customer);
    under.emulator.till.updateMethod(methodId, { card: { exp_month: "3", exp_year: "2038" } });
    await awaitCondition("the new month", async () => {
      const { paymentMethods } = await under.asKey(customer.key).listPaymentMethods({});
      const [card] = paymentMethods;
      return card?.expireMonth === 3 && card.expireYear === 2038;
    });
  });

  it("a card that is detached is no longer saved", async () => {
    const customer = await under.newCustomer();
    await saveCard(under, customer);
    under.emulator.till.detachMethod(onlyMethodOf(customer).methodId);
    await awaitCondition("no card", async () => (await listed(customer)).length === 0);
  });

  it("a customer that is deleted takes its cards along, and another is made", async () => {
    const customer = await under.newCustomer();
    await saveCard(under, customer);
    const { customerId } = onlyMethodOf(customer);
    under.emulator.till.deleteCustomer(customerId);
    await awaitCondition("no card", async () => (await listed(customer)).length === 0);
    await under.emulator.webhooks.drained();
    await awaitCondition("the customer to be forgotten", async () => {
      const [rows] = await under.pool.query(
        "SELECT 1 FROM customer WHERE provider_customer_id = ?",
        [customerId],
      );
      return JSON.stringify(rows) === "[]";
    });
    await saveCard(under, customer);
    assert.notEqual(onlyMethodOf(customer).customerId, customerId);
  });

  it("a charge of a saved card that no answer and no webhook told is found by the reconciler", async () => {
    const customer = await under.newCustomer();
    const id = await saveCard(under, customer);
    const { accountId } = customer;
    under.emulator.faults.add("429", { times: 100, path: "payment_intents", method: "POST" });
    await assert.rejects(rechargeBy(accountId, id), { reason: "PAYMENT_UNAVAILABLE" });
    // As if one of the attempts had been carried out, and nobody were to look at the payment any more.
    await under.pool.query(
      "UPDATE payment SET due_time = NULL, attempts = 3 WHERE account_id = ?",
      [accountId],
    );
    const { payments } = await under.payments.listPayments({ accountId });
    under.emulator.faults.clear();
    under.emulator.webhooks.knobs.drop = 1_000;
    const { methodId, customerId } = onlyMethodOf(customer);
    under.emulator.till.createIntent({
      ...{ amount: "1000", currency: "usd", customer: customerId, payment_method: methodId },
      ...{ confirm: "true", metadata: { payment_id: payments[0]?.id ?? "" } },
    });
    await under.paymentOperations.reconcilePayments({});
    under.emulator.webhooks.knobs.drop = 0;
    assert.deepEqual(await moneyOf(under, customer.accountId), [1000, 0, 1000, 0]);
  });
});
