import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { isDuplicate, type Pool, type PoolConnection } from "@farebox/kit/mysql";
import { fundsOf, grant, hasRoomFor } from "../domain/balance-moves.ts";
import { decideConfirm, type PaidPayment, type PlacedOrder } from "../domain/recharge-order.ts";
import type { RechargeEvents } from "../recharge-events.ts";
import { insertLedger } from "../store/insert-ledger.ts";
import { lockOrCreateWallets } from "../store/load-settle-worlds.ts";
import { moveWallets } from "../store/move-wallets.ts";
import { saveOrder } from "../store/recharge-order-store.ts";
import { requireAmount, withOrder } from "./with-order.ts";

export type ConfirmRechargeDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly events: RechargeEvents;
};

/**
 * Credits the order that a payment has paid: the only way in which paid money becomes credit, and once, whoever calls it how
 * often. The state of the order, the ledger entry and the balance change in one transaction; the money pays debt first.
 *
 * What cannot be credited as it came is parked, never refused: the money is there, and a person decides.
 *
 * Errors: INVALID_ARGUMENT, ORDER_NOT_FOUND, DUPLICATE_RECHARGE, UNAVAILABLE.
 */
export async function confirmRecharge(
  deps: ConfirmRechargeDeps,
  orderId: string,
  payment: PaidPayment,
): Promise<PlacedOrder> {
  requireAmount(payment.amount);
  const { before, after } = await confirmOnce(deps, orderId, payment);
  if (before.state === after.state) return after;
  if (after.state === "PARKED") deps.events.rechargeParked(after, payment);
  else deps.events.rechargeCredited(after);
  return after;
}

type Confirmed = { readonly before: PlacedOrder; readonly after: PlacedOrder };

async function confirmOnce(
  deps: ConfirmRechargeDeps,
  orderId: string,
  payment: PaidPayment,
): Promise<Confirmed> {
  try {
    return await withOrder(deps.pool, orderId, async (tx, before) => {
      const after = await settleOrder(tx, { before, payment, nowMs: deps.clock.nowMs() });
      return { before, after };
    });
  } catch (cause) {
    // The payment has settled or collects for another order.
    if (isDuplicate(cause)) throw new AppError("DUPLICATE_RECHARGE", undefined, { cause });
    throw cause;
  }
}

async function settleOrder(
  tx: PoolConnection,
  input: { readonly before: PlacedOrder; readonly payment: PaidPayment; readonly nowMs: number },
): Promise<PlacedOrder> {
  const { before, payment, nowMs } = input;
  switch (decideConfirm(before, payment)) {
    case "REPEAT":
      return before;
    case "DUPLICATE_RECHARGE":
      throw new AppError("DUPLICATE_RECHARGE");
    case "PARK":
      return parkOrder(tx, before, payment);
    case "CREDIT":
      return creditOrder(tx, before, payment, nowMs);
  }
}

async function parkOrder(
  tx: PoolConnection,
  before: PlacedOrder,
  { paymentId }: PaidPayment,
): Promise<PlacedOrder> {
  const after: PlacedOrder = { ...before, state: "PARKED", paymentId };
  await saveOrder(tx, before, after);
  return after;
}

async function creditOrder(
  tx: PoolConnection,
  before: PlacedOrder,
  payment: PaidPayment,
  nowMs: number,
): Promise<PlacedOrder> {
  const { accountId, amount, id } = before;
  const wallet = (await lockOrCreateWallets(tx, [accountId])).get(accountId);
  if (wallet === undefined || !hasRoomFor(wallet, amount)) return parkOrder(tx, before, payment);
  const move = grant(wallet, amount);
  const after: PlacedOrder = {
    ...before,
    state: "CREDITED",
    paymentId: payment.paymentId,
    credited: amount,
    creditTimeMs: nowMs,
  };
  await saveOrder(tx, before, after);
  await moveWallets(tx, [{ accountId, before: wallet, after: move.wallet }]);
  const entry = { accountId, reference: id, amount, balanceAfter: fundsOf(move.wallet) };
  const sides = { debit: "cash", credit: "customer_funds" } as const;
  await insertLedger(tx, [{ ...entry, kind: "RECHARGE", ...sides }], nowMs);
  return after;
}
