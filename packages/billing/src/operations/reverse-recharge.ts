import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Nanos } from "@farebox/kit/money";
import type { Pool, PoolConnection } from "@farebox/kit/mysql";
import type { OpenGrant } from "../domain/burn-grants.ts";
import type { PlacedOrder } from "../domain/recharge-order.ts";
import {
  decideReverse,
  type PlacedReversal,
  type ReversalKind,
} from "../domain/recharge-reversal.ts";
import { planTakeBack, type ReversalWorld } from "../domain/reversal-plan.ts";
import type { RechargeEvents } from "../recharge-events.ts";
import { lockWallets } from "../store/lock-wallets.ts";
import { lockOpenGrants } from "../store/open-grant-store.ts";
import { readReserved, readReversals } from "../store/recharge-reversal-store.ts";
import { saveReversal } from "../store/save-reversal.ts";
import type { ReversedOrder } from "./reserve-refund.ts";
import { requireAmount, requireOrderCurrency, type StatedAmount, withOrder } from "./with-order.ts";

export type ReverseRechargeDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly events: RechargeEvents;
};

export type ReverseRechargeInput = {
  readonly orderId: string;
  /** The refund's or dispute's id: its effects are made once. */
  readonly reversalId: string;
  readonly kind: ReversalKind;
  /** What the provider took. */
  readonly money: StatedAmount;
};

/**
 * Takes back what a refund paid out or a dispute withdrew: out of its reservation, else out of what is available, and what
 * is spent already becomes debt. Never more in all than the order was credited: one that finds nothing left takes nothing
 * and is known all the same. Grants that counted on the money are given up.
 *
 * Errors: INVALID_ARGUMENT, ORDER_NOT_FOUND, CURRENCY_MISMATCH, ORDER_WRONG_STATE, REQUEST_ID_REUSED, UNAVAILABLE.
 */
export async function reverseRecharge(
  deps: ReverseRechargeDeps,
  input: ReverseRechargeInput,
): Promise<ReversedOrder> {
  const { orderId, reversalId, kind, money } = input;
  requireAmount(money.amount);
  const taken = await withOrder(deps.pool, orderId, async (tx, order) => {
    requireOrderCurrency(order, money);
    const reversals = await readReversals(tx, order);
    const known = reversals.find(({ id }) => id === reversalId);
    const decision = decideReverse(order, known, { kind, amount: money.amount });
    switch (decision.kind) {
      case "REPEAT":
        if (known === undefined) throw new Error("a repeat of nothing");
        return { reversal: known, order, debt: undefined };
      case "REQUEST_ID_REUSED":
        throw new AppError("REQUEST_ID_REUSED");
      case "ORDER_WRONG_STATE": {
        const metadata = { state: order.state, reversal_state: known?.state ?? "" };
        throw new AppError("ORDER_WRONG_STATE", undefined, { metadata });
      }
      case "POST":
      case "TAKE": {
        const terms = { kind, state: "REVERSED", asked: money.amount } as const;
        const reversal = known ?? { id: reversalId, ...terms, amount: decision.amount };
        const world = await loadReversalWorld(tx, { order, reversal, reversals });
        return takeBack(tx, world, { isNew: known === undefined, nowMs: deps.clock.nowMs() });
      }
    }
  });
  const { reversal, order, debt } = taken;
  if (debt !== undefined) deps.events.rechargeReversed(order, reversal, debt);
  return { reversal, order };
}

/** Locks the account of a locked order, and reads what a move of one of its reversals depends on. */
export async function loadReversalWorld(
  tx: PoolConnection,
  of: {
    readonly order: PlacedOrder;
    readonly reversal: PlacedReversal;
    /** Every reversal of the order. */
    readonly reversals: readonly PlacedReversal[];
  },
): Promise<ReversalWorld> {
  const { order, reversal, reversals } = of;
  const wallet = (await lockWallets(tx, [order.accountId])).get(order.accountId);
  if (wallet === undefined) throw new Error(`order ${order.id} is credited to no balance`);
  const disputes = reversals.filter(
    ({ id, kind, state }) => kind === "DISPUTE" && state === "REVERSED" && id !== reversal.id,
  );
  const otherDisputed = disputes.reduce((total, { amount }) => total + amount, 0n);
  return { order, reversal, wallet, otherDisputed };
}

async function takeBack(
  tx: PoolConnection,
  world: ReversalWorld,
  of: { readonly isNew: boolean; readonly nowMs: number },
): Promise<ReversedOrder & { readonly debt: Nanos }> {
  const { accountId } = world.order;
  const grants = await openGrantsOf(tx, accountId, world.wallet.openGrants);
  const reservedOfAccount = await readReserved(tx, accountId);
  const plan = planTakeBack(world, { grants, reservedOfAccount });
  await saveReversal(tx, world, plan, of);
  const debt = plan.wallet.receivable - world.wallet.receivable;
  return { reversal: plan.reversal, order: plan.order, debt };
}

async function openGrantsOf(
  tx: PoolConnection,
  accountId: string,
  count: number,
): Promise<readonly OpenGrant[]> {
  return count === 0 ? [] : ((await lockOpenGrants(tx, [accountId])).get(accountId) ?? []);
}
