import { maxNanos, minNanos, type Nanos } from "@farebox/kit/money";
import { type RechargeOrder, reversibleOf } from "./recharge-order.ts";

/** Money that leaves an order again, known by the id of its refund or dispute. */
export type RechargeReversal = {
  readonly kind: ReversalKind;
  readonly state: ReversalState;
  /** What the refund or dispute asks back. */
  readonly asked: Nanos;
  /** What is held for it or was taken: less than asked when the order had no more to give. */
  readonly amount: Nanos;
};

/** A reversal of one order, by its id. */
export type PlacedReversal = RechargeReversal & { readonly id: string };

export type ReversalKind = (typeof reversalKinds)[number];

export const reversalKinds = ["REFUND", "DISPUTE"] as const;

export type ReversalState = (typeof reversalStates)[number];

export const reversalStates = ["RESERVED", "RELEASED", "REVERSED", "REINSTATED"] as const;

/** The money that bounds a refund: a wallet's terms, and what refunds under way hold of `held`. */
export type RefundFunds = {
  readonly available: Nanos;
  readonly held: Nanos;
  readonly reserved: Nanos;
  /** What the account's grants have left, in all. */
  readonly grantsRemaining: Nanos;
};

export type ReserveDecision =
  | { readonly kind: "RESERVE" | "REPEAT" | "REQUEST_ID_REUSED" }
  | { readonly kind: "REFUND_EXCEEDS_UNSPENT"; readonly refundable: Nanos };

export type ReverseDecision =
  /** Posts the reservation out of what is held, or takes the amount from what is available and then as debt. */
  | { readonly kind: "POST" | "TAKE"; readonly amount: Nanos }
  | { readonly kind: "REPEAT" | "REQUEST_ID_REUSED" | "ORDER_WRONG_STATE" };

export type ReinstateDecision = "RELEASE" | "GIVE_BACK" | "REPEAT";

/** Decides whether a refund's money is set aside. A repeat in any state answers as before; another amount is refused. */
export function decideReserve(
  order: RechargeOrder,
  known: RechargeReversal | undefined,
  funds: RefundFunds,
  amount: Nanos,
): ReserveDecision {
  if (known !== undefined) {
    const isSame = known.kind === "REFUND" && known.asked === amount;
    return { kind: isSame ? "REPEAT" : "REQUEST_ID_REUSED" };
  }
  const refundable = minNanos(unspentPaidOf(funds), reversibleOf(order));
  return amount <= refundable
    ? { kind: "RESERVE" }
    : { kind: "REFUND_EXCEEDS_UNSPENT", refundable };
}

/**
 * Decides what a refund that was paid out, or a dispute, takes of an order: never more than is left of what was credited.
 * A repeat of one that took its money, or that gave it back since, answers as before. One that arrives after its
 * reservation was released is refused, as is one of an order that was never credited.
 */
export function decideReverse(
  order: RechargeOrder,
  known: RechargeReversal | undefined,
  ask: { readonly kind: ReversalKind; readonly amount: Nanos },
): ReverseDecision {
  if (known === undefined) {
    if (order.credited === 0n) return { kind: "ORDER_WRONG_STATE" };
    return { kind: "TAKE", amount: minNanos(ask.amount, reversibleOf(order)) };
  }
  if (known.kind !== ask.kind || known.asked !== ask.amount) return { kind: "REQUEST_ID_REUSED" };
  switch (known.state) {
    case "RESERVED":
      return { kind: "POST", amount: known.amount };
    case "RELEASED":
      return { kind: "ORDER_WRONG_STATE" };
    case "REVERSED":
    case "REINSTATED":
      return { kind: "REPEAT" };
  }
}

/** Decides how the money of a refund that failed, or of a dispute that was won, returns to the account: once. */
export function decideReinstate(known: RechargeReversal): ReinstateDecision {
  switch (known.state) {
    case "RESERVED":
      return "RELEASE";
    case "REVERSED":
      return "GIVE_BACK";
    case "RELEASED":
    case "REINSTATED":
      return "REPEAT";
  }
}

/**
 * Paid money that nobody has spent or may yet spend: what is available, less what grants need of it. What leases hold
 * covers grants first, since spending burns them first; what refunds hold covers none.
 */
export function unspentPaidOf(funds: RefundFunds): Nanos {
  const heldByLeases = funds.held - funds.reserved;
  const needed = maxNanos(0n, funds.grantsRemaining - heldByLeases);
  return maxNanos(0n, funds.available - needed);
}
