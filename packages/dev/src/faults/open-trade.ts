import { createGrpcClient } from "@farebox/kit/grpc-client";
import { newUuidText } from "@farebox/kit/ids";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { PaymentOperationsService } from "@farebox/proto/farebox/payment/v1/payment_operations_service";
import { PaymentService } from "@farebox/proto/farebox/payment/v1/payment_service";
import Stripe from "stripe";
import { awaitCondition } from "./await-condition.ts";
import type { Customer, Office } from "./office.ts";
import type { FaultStack } from "./open-fault-stack.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Customers who buy credit and take it back while something is struck. */
export type Trade = AsyncDisposable & {
  /** What customers did so far, for whoever waits for a moment to strike. */
  readonly done: () => number;
  /** Every customer buys and refunds on until all are through. */
  run(customers: number): Promise<void>;
  /** Waits until Stripe's books and ours agree to the cent, and answers every disagreement in words; empty is right. */
  judge(): Promise<readonly string[]>;
};

/** What a customer asks is asked again until it is answered: so long. */
const answerMsMax = 60_000;

/** Opens a trade on a stack that has Payment and the emulator. */
export function openTrade(faults: FaultStack, random: SeededRandom): Trade {
  const { dev } = faults.stack;
  const { stripeEmulatorUrl = "", paymentAddress = "" } = dev;
  const base = { serviceToken: dev.serviceToken, deadlineMs: 20_000 };
  const billing = createGrpcClient(BillingService, { ...base, address: dev.billingAddress });
  const payments = createGrpcClient(PaymentService, { ...base, address: paymentAddress });
  const desk = createGrpcClient(PaymentOperationsService, { ...base, address: paymentAddress });
  const control = (path: string, body: object) => callEmulator(stripeEmulatorUrl, path, body);
  const stripe = stripeAt(stripeEmulatorUrl, faults.stack.stripeKey ?? "");
  const bought: { customer: Customer; paymentId: string }[] = [];
  let done = 0;

  const insist = <T>(what: string, ask: () => Promise<T>) => awaitCondition(what, ask, answerMsMax);

  const buy = async (customer: Customer) => {
    const { accountId } = customer;
    const amountNanos = BigInt(500 + random.below(5_000)) * 10_000_000n;
    const amount = { amountNanos, currencyCode: "USD" };
    const request = { requestId: newUuidText(), accountId, amount };
    const { order } = await insist("a recharge", () => billing.recharge(request));
    const paymentId = order?.paymentId ?? "";
    bought.push({ customer, paymentId });
    const { payment } = await insist("its payment", () => payments.getPayment({ paymentId }));
    const session = payment?.providerIds.checkout_session ?? "";
    if (random.below(4) === 0) await control("webhooks", { drop: 1 });
    if (random.below(4) === 0) await control("webhooks", { repeat: random.below(3) });
    await control(`sessions/${session}/pay`, {});
    done += 1;
    if (random.below(3) === 0) return;
    await insist("its credit", async () => {
      const { payment: now } = await payments.refreshPayment({ paymentId });
      return now?.paidTime !== undefined;
    });
    const part = BigInt(1 + random.below(400)) * 10_000_000n;
    const refund = {
      requestId: newUuidText(),
      paymentId,
      amount: { ...amount, amountNanos: part },
    };
    await insist("a refund", () => payments.refundPayment(refund));
    done += 1;
  };

  return {
    done: () => done,
    run: async (customers) => {
      const { office } = faults;
      await Promise.all(Array.from({ length: customers }, async () => buy(await newcomer(office))));
    },
    judge: () => judgeTrade({ bought, stripe, billing, payments, desk }),
    [Symbol.asyncDispose]: async () => {
      for (const client of [billing, payments, desk]) client.close();
    },
  };
}

function newcomer(office: Office): Promise<Customer> {
  return awaitCondition("a customer", () => office.newCustomer(0n), answerMsMax);
}

async function callEmulator(url: string, path: string, body: object): Promise<void> {
  const answer = await fetch(`${url}/_emulator/${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
}

function stripeAt(url: string, key: string): Stripe {
  const { hostname: host, port } = new URL(url);
  return new Stripe(key, { host, port, protocol: "http", telemetry: false });
}

type Books = {
  readonly bought: readonly { readonly customer: Customer; readonly paymentId: string }[];
  readonly stripe: Stripe;
  readonly billing: ReturnType<typeof createGrpcClient<typeof BillingService>>;
  readonly payments: ReturnType<typeof createGrpcClient<typeof PaymentService>>;
  readonly desk: ReturnType<typeof createGrpcClient<typeof PaymentOperationsService>>;
};

async function judgeTrade(books: Books): Promise<readonly string[]> {
  let wrong: readonly string[] = ["nothing was looked at"];
  const look = async () => {
    await books.desk.reconcilePayments({});
    wrong = await findFaults(books);
    return wrong.length === 0;
  };
  await awaitCondition("agreement", look, 90_000).catch(() => undefined);
  return wrong;
}

/** Stripe's own lists against Billing's balances, account by account. */
async function findFaults({ bought, stripe, billing }: Books): Promise<readonly string[]> {
  const sessions = await stripe.checkout.sessions
    .list({ limit: 100 })
    .autoPagingToArray({ limit: 10_000 });
  const refunds = await stripe.refunds.list({ limit: 100 }).autoPagingToArray({ limit: 10_000 });
  const faults: string[] = [];
  for (const { customer, paymentId } of bought) {
    const ours = sessions.filter(({ metadata }) => metadata?.payment_id === paymentId);
    if (ours.length !== 1) faults.push(`${paymentId} has ${ours.length} pages`);
    const paid = ours.filter((it) => it.payment_status === "paid");
    const collected = paid.reduce((total, it) => total + (it.amount_total ?? 0), 0);
    const intents = new Set(paid.map((it) => it.payment_intent));
    const returned = refunds
      .filter((it) => intents.has(it.payment_intent) && it.status === "succeeded")
      .reduce((total, it) => total + it.amount, 0);
    const { balance } = await billing.checkBalance({ accountId: customer.accountId });
    const credited = Number(balance?.credited?.amountNanos ?? 0n) / 10_000_000;
    const held = balance?.held?.amountNanos ?? 0n;
    if (credited !== collected - returned || held !== 0n) {
      faults.push(
        `${paymentId}: Stripe has ${collected} − ${returned}, Billing ${credited}, ${held} held`,
      );
    }
  }
  return faults;
}
