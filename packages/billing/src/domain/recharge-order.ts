import type { Nanos } from "@farebox/kit/money";

/** Money that an account means to pay in, and what came of it. */
export type RechargeOrder = {
  readonly state: RechargeState;
  /** What the account asked to pay. */
  readonly amount: Nanos;
  readonly currencyCode: string;
  /** The payment that settled or parked the order, or else collects for it; undefined before there is one. */
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

/** An order as it was placed, and how its payment is made. `id` is 32 lower-case hex digits. */
export type PlacedOrder = RechargeOrder & {
  readonly id: string;
  readonly accountId: string;
  readonly method: PaymentMethodKind;
  /** A saved method that is charged at once; empty to let the payer pay. */
  readonly paymentMethodId: string;
  /** Where to pay; empty when there is no page, or not yet. */
  readonly paymentUrl: string;
  readonly returnUrl: string;
  readonly clientIp: string;
  readonly createTimeMs: number;
  /** The payer can pay until then; money that comes later is credited all the same. */
  readonly expireTimeMs: number;
  readonly creditTimeMs: number | undefined;
};

export type PaymentMethodKind = (typeof paymentMethodKinds)[number];

export const paymentMethodKinds = [
  "UNSPECIFIED",
  "CARD",
  "ALIPAY",
  "WECHAT_PAY",
  "BANK_TRANSFER",
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
      return "PARK";
    case "PARKED":
      return order.paymentId === payment.paymentId ? "REPEAT" : "DUPLICATE_RECHARGE";
    case "CREDITED":
    case "PARTIALLY_REFUNDED":
    case "REFUNDED":
    case "DISPUTED":
      return isSameMoney && order.paymentId === payment.paymentId ? "REPEAT" : "DUPLICATE_RECHARGE";
  }
}

export type CancelDecision = "CANCEL" | "REPEAT" | "ORDER_WRONG_STATE";

/** Decides whether an order whose payment failed for good ends. One that money came for does not. */
export function decideCancel(order: RechargeOrder): CancelDecision {
  switch (order.state) {
    case "PENDING":
    case "EXPIRED":
      return "CANCEL";
    case "CANCELLED":
      return "REPEAT";
    case "CREDITED":
    case "PARTIALLY_REFUNDED":
    case "REFUNDED":
    case "DISPUTED":
    case "PARKED":
      return "ORDER_WRONG_STATE";
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
