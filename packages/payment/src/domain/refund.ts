import type { Nanos } from "@farebox/kit/money";

/** How far a refund has come, in the order that it may be gone through. */
export const refundStates = ["CREATED", "UNKNOWN", "PENDING", "SUCCEEDED", "FAILED"] as const;
export type RefundState = (typeof refundStates)[number];

/** Who began a refund. A customer's is at most what is unspent; the others may make debt. */
export const refundOrigins = ["CUSTOMER", "OPERATOR", "PROVIDER"] as const;
export type RefundOrigin = (typeof refundOrigins)[number];

/** A refund as it stands here. Ids are 32 lower-case hex digits. */
export type Refund = {
  readonly id: string;
  readonly paymentId: string;
  readonly accountId: string;
  readonly orderId: string;
  readonly requestId: string;
  readonly amount: Nanos;
  readonly currencyCode: string;
  readonly minor: bigint;
  readonly state: RefundState;
  readonly origin: RefundOrigin;
  readonly providerRefundId: string;
  readonly failureReason: string;
  /** How far Billing has been told. */
  readonly told: RefundTold;
  readonly attempts: number;
  readonly createTimeMs: number;
};

/**
 * What Billing knows of a refund: nothing, that money is set aside, that it has left, or that nothing of it is left to know:
 * it did not happen after all, or was of money that was never credited. TAKING is noted before Billing is told that money
 * left: it may know, or not, should the process die before the answer is noted.
 */
export const refundTolds = ["NOTHING", "RESERVED", "TAKING", "REVERSED", "RETURNED"] as const;
export type RefundTold = (typeof refundTolds)[number];

/** The next thing to do for a refund; REST when there is nothing. */
export type RefundStep = "RESERVE" | "ASK" | "READ" | "REVERSE" | "RETURN" | "REST";

/**
 * What comes next. Money is set aside before the provider is asked, has left when the provider is paying it out, and is
 * given back only when the provider says that it failed: while nothing is known it stays set aside.
 */
export function nextRefundStep(refund: Pick<Refund, "state" | "origin" | "told">): RefundStep {
  const { state, origin, told } = refund;
  switch (state) {
    case "CREATED":
    case "UNKNOWN":
      return origin === "CUSTOMER" && told === "NOTHING" ? "RESERVE" : "ASK";
    case "PENDING":
      return told === "REVERSED" || told === "RETURNED" ? "READ" : "REVERSE";
    case "SUCCEEDED":
      return told === "REVERSED" || told === "RETURNED" ? "REST" : "REVERSE";
    case "FAILED":
      return told === "NOTHING" || told === "RETURNED" ? "REST" : "RETURN";
  }
}

/** The state after the provider spoke. It moves forward; a refund that had succeeded may still fail at the payer's bank. */
export function refundStateAfter(state: RefundState, said: RefundState): RefundState {
  return refundStates.indexOf(said) > refundStates.indexOf(state) ? said : state;
}
