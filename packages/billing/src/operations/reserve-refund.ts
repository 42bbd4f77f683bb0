import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { formatNanos, type Nanos } from "@farebox/kit/money";
import type { Pool, PoolConnection } from "@farebox/kit/mysql";
import { hold, type Wallet } from "../domain/balance-moves.ts";
import type { PlacedOrder } from "../domain/recharge-order.ts";
import { decideReserve, type PlacedReversal } from "../domain/recharge-reversal.ts";
import { lockWallets } from "../store/lock-wallets.ts";
import { moveWallets } from "../store/move-wallets.ts";
import { lockOpenGrants } from "../store/open-grant-store.ts";
import { saveOrder } from "../store/recharge-order-store.ts";
import { insertReversal, readReserved, readReversals } from "../store/recharge-reversal-store.ts";
import { requireAmount, requireOrderCurrency, type StatedAmount, withOrder } from "./with-order.ts";

export type ReserveRefundDeps = { readonly pool: Pool; readonly clock: Clock };

/** A reversal as it stands, and its order. */
export type ReversedOrder = { readonly reversal: PlacedReversal; readonly order: PlacedOrder };

/**
 * Sets the money of a refund aside before the provider is asked, so that it cannot be spent meanwhile: at most the paid
 * money that is unspent, and no more than the order has left. Again with the same amount, it answers the reservation as it
 * stands.
 *
 * Errors: INVALID_ARGUMENT, ORDER_NOT_FOUND, CURRENCY_MISMATCH, REFUND_EXCEEDS_UNSPENT, REQUEST_ID_REUSED, UNAVAILABLE.
 */
export async function reserveRefund(
  deps: ReserveRefundDeps,
  input: {
    readonly orderId: string;
    readonly reversalId: string;
    readonly money: StatedAmount;
  },
): Promise<ReversedOrder> {
  const { orderId, reversalId, money } = input;
  requireAmount(money.amount);
  return withOrder(deps.pool, orderId, async (tx, order) => {
    requireOrderCurrency(order, money);
    const known = (await readReversals(tx, order)).find(({ id }) => id === reversalId);
    const wallet = (await lockWallets(tx, [order.accountId])).get(order.accountId);
    const funds = await fundsFor(tx, order.accountId, wallet);
    const decision = decideReserve(order, known, funds, money.amount);
    switch (decision.kind) {
      case "REPEAT":
        if (known !== undefined) return { reversal: known, order };
        break;
      case "REQUEST_ID_REUSED":
        throw new AppError("REQUEST_ID_REUSED");
      case "REFUND_EXCEEDS_UNSPENT":
        throw new AppError("REFUND_EXCEEDS_UNSPENT", undefined, {
          metadata: { refundable: formatNanos(decision.refundable) },
        });
      case "RESERVE":
        if (wallet !== undefined) {
          const nowMs = deps.clock.nowMs();
          return saveReservation(tx, { order, reversalId, amount: money.amount, wallet, nowMs });
        }
    }
    throw new Error(`order ${order.id} is credited to no balance, or lost a reversal`);
  });
}

async function fundsFor(tx: PoolConnection, accountId: string, wallet: Wallet | undefined) {
  if (wallet === undefined) return { available: 0n, held: 0n, reserved: 0n, grantsRemaining: 0n };
  const grants = wallet.openGrants === 0 ? [] : (await lockOpenGrants(tx, [accountId])).values();
  const open = [...grants].flat();
  return {
    available: wallet.available,
    held: wallet.held,
    reserved: await readReserved(tx, accountId),
    grantsRemaining: open.reduce((total, { remaining }) => total + remaining, 0n),
  };
}

async function saveReservation(
  tx: PoolConnection,
  input: {
    readonly order: PlacedOrder;
    readonly reversalId: string;
    readonly amount: Nanos;
    readonly wallet: Wallet;
    readonly nowMs: number;
  },
): Promise<ReversedOrder> {
  const { order: before, reversalId, amount, wallet, nowMs } = input;
  const terms = { kind: "REFUND", state: "RESERVED", asked: amount, amount } as const;
  const reversal: PlacedReversal = { id: reversalId, ...terms };
  const order = { ...before, reserved: before.reserved + amount };
  await saveOrder(tx, before, order);
  await insertReversal(tx, order, reversal, nowMs);
  const held = hold(wallet, amount).wallet;
  await moveWallets(tx, [{ accountId: order.accountId, before: wallet, after: held }]);
  return { reversal, order };
}
