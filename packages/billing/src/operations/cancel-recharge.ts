import { AppError } from "@farebox/kit/app-error";
import type { Pool } from "@farebox/kit/mysql";
import { decideCancel, type PlacedOrder } from "../domain/recharge-order.ts";
import { saveOrder } from "../store/recharge-order-store.ts";
import { withOrder } from "./with-order.ts";

export type CancelRechargeDeps = { readonly pool: Pool };

/**
 * Ends an order whose payment failed for good; an expired one too. Again, it answers the same. Money that comes all the same
 * parks the order.
 *
 * Errors: ORDER_NOT_FOUND, ORDER_WRONG_STATE naming the state, UNAVAILABLE.
 */
export async function cancelRecharge(
  deps: CancelRechargeDeps,
  of: { readonly orderId: string; readonly paymentId: string },
): Promise<PlacedOrder> {
  return withOrder(deps.pool, of.orderId, async (tx, before) => {
    switch (decideCancel(before)) {
      case "REPEAT":
        return before;
      case "ORDER_WRONG_STATE":
        throw new AppError("ORDER_WRONG_STATE", undefined, { metadata: { state: before.state } });
      case "CANCEL": {
        // The answer that would have named the payment may be on its way: whoever asks why finds it here.
        const paymentId = before.paymentId ?? of.paymentId;
        const after: PlacedOrder = { ...before, state: "CANCELLED", paymentId };
        await saveOrder(tx, before, after);
        return after;
      }
    }
  });
}
