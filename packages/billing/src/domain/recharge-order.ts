import type { Nanos } from "@farebox/kit/money";

/** Money that an account means to pay in, and what came of it. */
export type RechargeOrder = {
  readonly state: RechargeState;
  /** What the account asked to pay. */
  readonly amount: Nanos;
  readonly currencyCode: string;
  /** The payment that settled or parked the order; undefined before. */
  readonly paymentId: string | undefined;
  readonly credited: Nanos;
  /** Taken back by refunds and disputes; never more than was credited. */
  readonly reversed: Nanos;
  /** Held for refunds that are under way; with `reversed`, never more than was credited. */
  readonly reserved: Nanos;
};

export type RechargeState = (typeof rechargeStates)[number];

export const rechargeStates = [
  "PENDING",
  "CREDITED",
  "EXPIRED",
  "CANCELLED",
  "PARTIALLY_REFUNDED",
  "REFUNDED",
  "DISPUTED",
  "PARKED",
] as const;

/** A payment that Payment says is paid. */
export type PaidPayment = {
  readonly paymentId: string;
  readonly amount: Nanos;
  readonly currencyCode: string;
};

/** What a paid payment does to an order. `REPEAT` answers as before; `PARK` credits nothing and waits for a person. */
export type ConfirmDecision = "CREDIT" | "PARK" | "REPEAT" | "DUPLICATE_RECHARGE";

/**
 * Decides what a paid payment does to its order. An order that expired before the money came is credited all the same. One
 * that was cancelled, or is paid with another amount or currency, is parked: money came that nobody asked for so.
 * A parked order stays so, whatever amount the same payment names again.
 */
export function decideConfirm(order: RechargeOrder, payment: PaidPayment): ConfirmDecision {
  const isSameMoney =
    payment.amount === order.amount && payment.currencyCode === order.currencyCode;
  switch (order.state) {
    case "PENDING":
    case "EXPIRED":
      return isSameMoney ? "CREDIT" : "PARK";
    case "CANCELLED":
      return order.paymentId === undefined ? "PARK" : "DUPLICATE_RECHARGE";
    case "PARKED":
      return order.paymentId === payment.paymentId ? "REPEAT" : "DUPLICATE_RECHARGE";
    case "CREDITED":
    case "PARTIALLY_REFUNDED":
    case "REFUNDED":
    case "DISPUTED":
      return isSameMoney && order.paymentId === payment.paymentId ? "REPEAT" : "DUPLICATE_RECHARGE";
  }
}

/** What refunds and disputes may still take of an order. */
export function reversibleOf(order: RechargeOrder): Nanos {
  return order.credited - order.reversed - order.reserved;
}

/** The state of a credited order after a reversal or its end; `disputed` is what open or lost disputes took of it. */
export function stateAfterReversal(order: RechargeOrder, disputed: Nanos): RechargeState {
  if (disputed > 0n) return "DISPUTED";
  if (order.reversed === 0n) return "CREDITED";
  return order.reversed < order.credited ? "PARTIALLY_REFUNDED" : "REFUNDED";
}
