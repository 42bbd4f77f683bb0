import { newUuid } from "@farebox/kit/ids";
import { createLogger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import type { Nanos } from "@farebox/kit/money";
import type { Pool } from "@farebox/kit/mysql";
import type { PlacedOrder } from "../../src/domain/recharge-order.ts";
import type { ReversalKind } from "../../src/domain/recharge-reversal.ts";
import { confirmRecharge } from "../../src/operations/confirm-recharge.ts";
import { recharge } from "../../src/operations/recharge.ts";
import { reinstateRecharge } from "../../src/operations/reinstate-recharge.ts";
import { reserveRefund } from "../../src/operations/reserve-refund.ts";
import { reverseRecharge } from "../../src/operations/reverse-recharge.ts";
import { createRechargeEvents } from "../../src/recharge-events.ts";
import { openMoneyRoom } from "./money-room.ts";

/** The operations that money is paid in with, and leaves again, beside those that spend it; and short ways to call them. */
export type RechargeRoom = ReturnType<typeof openRechargeRoom>;

/** Opens the room. */
export function openRechargeRoom(pool: Pool) {
  const money = openMoneyRoom(pool);
  const events = createRechargeEvents({
    log: createLogger({ name: "test", level: "silent" }),
    metrics: createMetrics(),
  });
  const deps = {
    pool,
    clock: money.clock,
    facts: money.facts,
    events,
    rechargeExpiresAfterMs: 3_600_000,
    createPayment: async (order: PlacedOrder) => ({
      paymentId: paymentOf(order.id),
      hasFailed: false,
      paymentUrl: "",
      paymentCode: "",
      paymentParams: {},
    }),
  };
  return {
    money,
    deps,
    /** An order that waits for its money. */
    order: async (accountId: string, amount: Nanos): Promise<PlacedOrder> => {
      const facts = { method: "CARD", returnUrl: "", paymentMethodId: "", clientIp: "" } as const;
      const requestId = newUuid().toString("hex");
      const input = { ...facts, requestId, accountId, amount };
      return (await recharge(deps, input, new AbortController().signal)).order;
    },
    confirm: (order: PlacedOrder, more: { amount?: Nanos; paymentId?: string } = {}) =>
      confirmRecharge(deps, order.id, {
        paymentId: paymentOf(order.id),
        amount: order.amount,
        currencyCode: "USD",
        ...more,
      }),
    reserve: (orderId: string, reversalId: string, amount: Nanos) =>
      reserveRefund(deps, { orderId, reversalId, money: dollars(amount) }),
    reverse: (orderId: string, reversalId: string, kind: ReversalKind, amount: Nanos) =>
      reverseRecharge(deps, { orderId, reversalId, kind, money: dollars(amount) }),
    reinstate: (orderId: string, reversalId: string) =>
      reinstateRecharge(deps, { orderId, reversalId }),
  };
}

function paymentOf(orderId: string): string {
  return `pay_${orderId}`;
}

function dollars(amount: Nanos) {
  return { amount, currencyCode: "USD" };
}
