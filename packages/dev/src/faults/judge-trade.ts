import type Stripe from "stripe";
import { awaitCondition } from "./await-condition.ts";
import type { Purchase, TradeDesk } from "./trade-desk.ts";

/** Waits until Stripe's own lists and Billing's balances agree, account by account; answers what does not, in words. */
export async function judgeTrade(desk: TradeDesk): Promise<readonly string[]> {
  let wrong: readonly string[] = ["nothing was looked at"];
  const look = async () => {
    await desk.operations.reconcilePayments({});
    wrong = await findFaults(desk);
    return wrong.length === 0;
  };
  await awaitCondition("agreement", look, 90_000).catch(() => undefined);
  return wrong;
}

async function findFaults(desk: TradeDesk): Promise<readonly string[]> {
  const books = await readBooks(desk.stripe);
  const faults: string[] = [];
  for (const purchase of desk.bought) faults.push(...(await faultsOf(desk, books, purchase)));
  return faults;
}

type Books = {
  readonly sessions: readonly Stripe.Checkout.Session[];
  readonly intents: readonly Stripe.PaymentIntent[];
  readonly refunds: readonly Stripe.Refund[];
};

async function readBooks({ checkout, paymentIntents, refunds }: Stripe): Promise<Books> {
  const limit = 10_000;
  return {
    sessions: await checkout.sessions.list({ limit: 100 }).autoPagingToArray({ limit }),
    intents: await paymentIntents.list({ limit: 100 }).autoPagingToArray({ limit }),
    refunds: await refunds.list({ limit: 100 }).autoPagingToArray({ limit }),
  };
}

async function faultsOf(
  { billing }: TradeDesk,
  { sessions, intents, refunds }: Books,
  { customer, pagePaymentId, automatic }: Purchase,
): Promise<readonly string[]> {
  const { accountId } = customer;
  const faults: string[] = [];
  const pages = sessions.filter(({ metadata }) => metadata?.payment_id === pagePaymentId);
  if (pagePaymentId !== "" && pages.length !== 1) {
    faults.push(`${pagePaymentId} has ${pages.length} pages`);
  }
  const paid = intents.filter(
    ({ metadata, status }) => metadata.account_id === accountId && status === "succeeded",
  );
  const orders = new Set(paid.map(({ metadata }) => metadata.payment_order_id));
  if (orders.size !== paid.length) faults.push(`${accountId} paid for an order twice`);
  const collected = paid.reduce((total, it) => total + it.amount_received, 0);
  if (automatic !== undefined && collected !== automatic) {
    faults.push(`${accountId} paid in ${collected} automatically instead of ${automatic}`);
  }
  const ids = new Set(paid.map(({ id }) => id));
  const returned = refunds
    .filter((it) => ids.has(String(it.payment_intent)) && it.status === "succeeded")
    .reduce((total, it) => total + it.amount, 0);
  const { balance } = await billing.checkBalance({ accountId });
  const credited = Number(balance?.credited?.amountNanos ?? 0n) / 10_000_000;
  const held = balance?.held?.amountNanos ?? 0n;
  if (credited !== collected - returned || held !== 0n) {
    const ours = `Billing ${credited}, ${held} held`;
    faults.push(`${accountId}: Stripe has ${collected} − ${returned}, ${ours}`);
  }
  return faults;
}
