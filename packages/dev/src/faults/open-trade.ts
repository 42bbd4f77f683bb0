import { newUuidText } from "@farebox/kit/ids";
import { RechargeState } from "@farebox/proto/farebox/billing/v1/recharge";
import { awaitCondition } from "./await-condition.ts";
import { judgeTrade } from "./judge-trade.ts";
import type { Customer } from "./office.ts";
import type { FaultStack } from "./open-fault-stack.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { openTradeDesk, type TradeDesk } from "./trade-desk.ts";

/** Customers who buy credit by pages, by saved cards and automatically, and take it back, while something is struck. */
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
  const desk = openTradeDesk(faults.stack);
  let done = 0;
  const shop: Shop = {
    ...{ desk, random },
    tick: () => {
      done += 1;
    },
  };
  const ways = [buyByPage, buyByPage, buyByCard, buyAutomatically];
  const trade = async (at: number) => {
    const customer = await insist("a customer", () => faults.office.newCustomer(0n));
    const buy = ways[at % ways.length] ?? buyByPage;
    await buy(shop, customer);
  };
  return {
    done: () => done,
    run: async (customers) => {
      await Promise.all(Array.from({ length: customers }, (_, at) => trade(at)));
    },
    judge: () => judgeTrade(desk),
    [Symbol.asyncDispose]: async () => desk.close(),
  };
}

type Shop = {
  readonly desk: TradeDesk;
  readonly random: SeededRandom;
  /** Something was bought or taken back. */
  readonly tick: () => void;
};

function insist<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  return awaitCondition<T>(what, ask, answerMsMax);
}

function cents(amount: number) {
  return { amountNanos: BigInt(amount) * 10_000_000n, currencyCode: "USD" };
}

/** Pays a page, whose webhooks may get lost or come twice, and takes a part back now and then. */
async function buyByPage({ desk, random, tick }: Shop, { accountId, ...rest }: Customer) {
  const { billing, payments, control, bought } = desk;
  const amount = cents(500 + random.below(5_000));
  const request = { requestId: newUuidText(), accountId, amount };
  const { order } = await insist("a recharge", () => billing.recharge(request));
  const paymentId = order?.paymentId ?? "";
  const customer = { accountId, ...rest };
  bought.push({ customer, pagePaymentId: paymentId, automatic: undefined });
  const { payment } = await insist("its payment", () => payments.getPayment({ paymentId }));
  const session = payment?.providerIds.checkout_session ?? "";
  if (random.below(4) === 0) await control("webhooks", { drop: 1 });
  if (random.below(4) === 0) await control("webhooks", { repeat: random.below(3) });
  await control(`sessions/${session}/pay`, {});
  tick();
  if (random.below(3) === 0) return;
  await insist("its credit", async () => {
    const { payment: now } = await payments.refreshPayment({ paymentId });
    return now?.paidTime !== undefined;
  });
  const refund = { requestId: newUuidText(), paymentId, amount: cents(1 + random.below(400)) };
  await insist("a refund", () => payments.refundPayment(refund));
  tick();
}

/** Saves a card, and charges it. */
async function buyByCard({ desk, random, tick }: Shop, customer: Customer) {
  const { accountId } = customer;
  const paymentMethodId = await saveCard(desk, customer);
  desk.bought.push({ customer, pagePaymentId: "", automatic: undefined });
  const amount = cents(500 + random.below(5_000));
  const request = { requestId: newUuidText(), accountId, amount, paymentMethodId };
  await insist("a recharge by a saved card", async () => {
    const { order } = await desk.billing.recharge(request);
    return order?.state === RechargeState.CREDITED;
  });
  tick();
}

/** Lets a balance that is low be paid in twice: at first, and when all of it is taken back. */
async function buyAutomatically({ desk, tick }: Shop, customer: Customer) {
  const { accountId } = customer;
  const { payments, billing } = desk;
  await saveCard(desk, customer);
  desk.bought.push({ customer, pagePaymentId: "", automatic: 2_000 });
  const terms = { enabled: true, threshold: cents(500), amount: cents(1_000) };
  await insist("an automatic recharge", () => payments.setAutoRecharge({ accountId, ...terms }));
  const awaitCredit = () =>
    insist("what was paid in automatically", async () => {
      const { balance } = await billing.checkBalance({ accountId });
      return balance?.available?.amountNanos === terms.amount.amountNanos;
    });
  await awaitCredit();
  tick();
  const [first] = (await insist("its payment", () => payments.listPayments({ accountId })))
    .payments;
  const refund = { requestId: newUuidText(), paymentId: first?.id ?? "" };
  await insist("a refund", () => payments.refundPayment(refund));
  await insist("another attempt", async () => {
    const listed = await payments.listPayments({ accountId });
    return listed.payments.length === 2;
  });
  await awaitCredit();
  tick();
}

async function saveCard({ payments, control }: TradeDesk, { accountId }: Customer) {
  const request = { requestId: newUuidText(), accountId };
  const { setupUrl } = await insist("a page for a card", () => payments.addPaymentMethod(request));
  await control(`sessions/${setupUrl.split("/").at(-1)}/pay`, {});
  return insist("a saved card", async () => {
    const { paymentMethods } = await payments.listPaymentMethods({ accountId });
    return paymentMethods[0]?.id;
  });
}
