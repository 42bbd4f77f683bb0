import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Pool } from "@farebox/kit/mysql";
import { decideReinstate } from "../domain/recharge-reversal.ts";
import { planGiveBack, planRelease } from "../domain/reversal-plan.ts";
import type { RechargeEvents } from "../recharge-events.ts";
import { readReversals } from "../store/recharge-reversal-store.ts";
import { saveReversal } from "../store/save-reversal.ts";
import type { ReversedOrder } from "./reserve-refund.ts";
import { loadReversalWorld } from "./reverse-recharge.ts";
import { withOrder } from "./with-order.ts";

export type ReinstateRechargeDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly events: RechargeEvents;
};

/**
 * Returns the money of a refund that failed, or of a dispute that was won: what was reserved is released, what was taken is
 * given back, once. It pays debt first. One that arrives before its reversal is not known yet, and is repeated by Payment.
 *
 * Errors: ORDER_NOT_FOUND, REVERSAL_NOT_FOUND, UNAVAILABLE.
 */
export async function reinstateRecharge(
  deps: ReinstateRechargeDeps,
  input: { readonly orderId: string; readonly reversalId: string },
): Promise<ReversedOrder> {
  const returned = await withOrder(deps.pool, input.orderId, async (tx, order) => {
    const reversals = await readReversals(tx, order);
    const reversal = reversals.find(({ id }) => id === input.reversalId);
    if (reversal === undefined) throw new AppError("REVERSAL_NOT_FOUND");
    const decision = decideReinstate(reversal);
    if (decision === "REPEAT") return { reversal, order, isFirst: false };
    const world = await loadReversalWorld(tx, { order, reversal, reversals });
    const plan = decision === "RELEASE" ? planRelease(world) : planGiveBack(world);
    await saveReversal(tx, world, plan, { isNew: false, nowMs: deps.clock.nowMs() });
    return { reversal: plan.reversal, order: plan.order, isFirst: true };
  });
  const { reversal, order, isFirst } = returned;
  if (isFirst) deps.events.rechargeReinstated(order, reversal);
  return { reversal, order };
}
