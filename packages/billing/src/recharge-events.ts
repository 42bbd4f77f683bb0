import { formatId } from "@farebox/kit/ids";
import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";
import { type Nanos, nanosPerUnit } from "@farebox/kit/money";
import type { PaidPayment, PlacedOrder } from "./domain/recharge-order.ts";
import type { PlacedReversal } from "./domain/recharge-reversal.ts";

/** What happens to money that is paid in. */
export type RechargeEvents = {
  /** A payment was credited. */
  rechargeCredited(order: PlacedOrder): void;
  /** Money came that cannot be credited as it is: an alarm, a person decides. */
  rechargeParked(order: PlacedOrder, payment: PaidPayment): void;
  /** A refund or dispute took money back; `debt` of it had been spent. */
  rechargeReversed(order: PlacedOrder, reversal: PlacedReversal, debt: Nanos): void;
  /** A refund failed or a dispute was won. */
  rechargeReinstated(order: PlacedOrder, reversal: PlacedReversal): void;
  /** So many orders were not paid in time. */
  rechargesExpired(count: number): void;
  /** So many orders wait for a person. An alarm unless zero. */
  rechargesParkedCounted(count: number): void;
};

/** Makes the events of one process. */
export function createRechargeEvents(deps: {
  readonly log: Logger;
  readonly metrics: Metrics;
}): RechargeEvents {
  const { log } = deps;
  const meters = createMeters(deps.metrics);
  return {
    rechargeCredited: (order) => {
      meters.orders.inc({ outcome: "credited" });
      log.info({ event: "recharge.credited", ...namesOf(order), credited: String(order.credited) });
    },
    rechargeParked: (order, { amount, currencyCode }) => {
      meters.orders.inc({ outcome: "parked" });
      const money = { asked: String(order.amount), paid: String(amount), currencyCode };
      log.error({ event: "recharge.parked", ...namesOf(order), ...money });
    },
    rechargeReversed: (order, { id, kind, amount, asked }, debt) => {
      meters.reversals.inc({ kind: kind.toLowerCase() });
      if (debt > 0n) meters.debt.inc(Number(debt) / Number(nanosPerUnit));
      const money = { amount: String(amount), asked: String(asked), debt: String(debt) };
      log.info({ event: "recharge.reversed", ...namesOf(order), reversalId: id, kind, ...money });
    },
    rechargeReinstated: (order, { id, kind, state, amount }) => {
      const facts = { reversalId: id, kind, state, amount: String(amount) };
      log.info({ event: "recharge.reinstated", ...namesOf(order), ...facts });
    },
    rechargesExpired: (count) => {
      meters.orders.inc({ outcome: "expired" }, count);
      log.info({ event: "recharges.expired", count });
    },
    rechargesParkedCounted: (count) => meters.parked.set(count),
  };
}

function createMeters(metrics: Metrics) {
  return {
    orders: metrics.counter({
      name: "recharge_orders_total",
      help: "Recharge orders that were credited, parked or expired",
      labels: ["outcome"],
    }),
    parked: metrics.gauge({
      name: "recharges_parked",
      help: "Recharge orders that were paid and not credited, and wait for a person; 0 is good",
    }),
    reversals: metrics.counter({
      name: "recharge_reversals_total",
      help: "Refunds and disputes that took money of recharges back",
      labels: ["kind"],
    }),
    debt: metrics.counter({
      name: "recharge_reversal_debt_total",
      help: "Money that refunds and disputes took back though it was spent, in units of the accounts' currencies",
    }),
  };
}

function namesOf(order: PlacedOrder) {
  const paymentOrderId = formatId("rco", Buffer.from(order.id, "hex"));
  return { paymentOrderId, accountId: order.accountId, paymentId: order.paymentId };
}
