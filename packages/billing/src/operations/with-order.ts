import { AppError, fieldError } from "@farebox/kit/app-error";
import { type Nanos, nanosMax } from "@farebox/kit/money";
import { inTransaction, type Pool, type PoolConnection } from "@farebox/kit/mysql";
import type { PlacedOrder } from "../domain/recharge-order.ts";
import { lockOrder, readOrder } from "../store/recharge-order-store.ts";

/** An amount that comes with its own currency: what a provider has moved. */
export type StatedAmount = { readonly amount: Nanos; readonly currencyCode: string };

/**
 * Runs `fn` in one transaction with an order locked: an order is locked before its account, so that all that happens to it
 * happens in turn. Errors: ORDER_NOT_FOUND, UNAVAILABLE.
 */
export async function withOrder<T>(
  pool: Pool,
  orderId: string,
  fn: (tx: PoolConnection, order: PlacedOrder) => Promise<T>,
): Promise<T> {
  const found = await readOrder(pool, orderId);
  if (found === undefined) throw new AppError("ORDER_NOT_FOUND");
  return inTransaction(pool, async (tx) => {
    const order = await lockOrder(tx, found);
    if (order === undefined) throw new AppError("ORDER_NOT_FOUND");
    return fn(tx, order);
  });
}

/** Refuses an amount that is nothing, and one that is beyond what an account can hold. */
export function requireAmount(amount: Nanos): void {
  if (amount <= 0n || amount > nanosMax) throw fieldError("amount", "must be above zero");
}

/** Refuses an amount in another currency than the order's. */
export function requireOrderCurrency(order: PlacedOrder, { currencyCode }: StatedAmount): void {
  if (currencyCode === "" || currencyCode === order.currencyCode) return;
  throw new AppError("CURRENCY_MISMATCH", undefined, {
    metadata: { field: "amount.currency_code", expected: order.currencyCode },
  });
}
