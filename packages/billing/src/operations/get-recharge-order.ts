import { AppError } from "@farebox/kit/app-error";
import type { Pool } from "@farebox/kit/mysql";
import type { PlacedOrder } from "../domain/recharge-order.ts";
import type { PlacedReversal } from "../domain/recharge-reversal.ts";
import { readOrder } from "../store/recharge-order-store.ts";
import { readReversals } from "../store/recharge-reversal-store.ts";

export type GetRechargeOrderDeps = { readonly pool: Pool };

/** An order and what left it again, oldest first. */
export type ReadOrder = {
  readonly order: PlacedOrder;
  readonly reversals: readonly PlacedReversal[];
};

/**
 * Reads an order of an account, or of any when `accountId` is empty. One of another account is answered as if it did not
 * exist. Errors: ORDER_NOT_FOUND.
 */
export async function getRechargeOrder(
  deps: GetRechargeOrderDeps,
  input: { readonly accountId: string; readonly orderId: string },
): Promise<ReadOrder> {
  const order = await readOrder(deps.pool, input.orderId);
  const isTheirs = input.accountId === "" || order?.accountId === input.accountId;
  if (order === undefined || !isTheirs) throw new AppError("ORDER_NOT_FOUND");
  return { order, reversals: await readReversals(deps.pool, order) };
}
