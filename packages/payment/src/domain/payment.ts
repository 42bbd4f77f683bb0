import type { Nanos } from "@farebox/kit/money";
import type { MethodKind, ProviderName } from "./method-capabilities.ts";

/** How far a payment has come, in the order that it may be gone through. */
export const paymentStates = [
  "CREATED",
  "UNKNOWN",
  "PENDING",
  "EXPIRED",
  "FAILED",
  "PAID",
  "PARKED",
] as const;

export type PaymentState = (typeof paymentStates)[number];

/** What Billing asked for. Repeated to the letter it is the same payment; anything else is another request. */
export type PaymentOrder = {
  readonly orderId: string;
  readonly accountId: string;
  readonly amount: Nanos;
  readonly currencyCode: string;
  readonly method: MethodKind;
  /** The saved method that is charged at once, as 32 hex digits; empty to let the payer pay. */
  readonly paymentMethodId: string;
  readonly subject: string;
  readonly clientIp: string;
  readonly returnUrl: string;
  /** After this the payer can no longer pay; undefined for the provider's own limit. */
  readonly expireTimeMs: number | undefined;
};

/** A payment as it stands here. `id` is 32 lower-case hex digits. */
export type Payment = PaymentOrder & {
  readonly id: string;
  readonly provider: ProviderName;
  readonly state: PaymentState;
  /** The amount in the provider's smallest units. */
  readonly minor: bigint;
  /** How it was paid; UNSPECIFIED before. */
  readonly paidMethod: MethodKind;
  readonly sessionId: string;
  readonly intentId: string;
  readonly isTest: boolean;
  readonly paymentUrl: string;
  /** What the payer writes on a transfer; empty for other ways. */
  readonly paymentCode: string;
  readonly declineCode: string;
  /** What really arrived, when it is not what was asked for. */
  readonly arrived: Nanos | undefined;
  readonly arrivedCurrency: string;
  /** Whether Billing knows how it ended. */
  readonly isTold: boolean;
  readonly attempts: number;
  readonly createTimeMs: number;
  readonly paidTimeMs: number | undefined;
};

/** What the provider says of a payment. Empty texts say nothing new. */
export type PaymentReport = {
  readonly state: "PENDING" | "PAID" | "FAILED" | "EXPIRED";
  readonly sessionId: string;
  readonly intentId: string;
  readonly method: MethodKind;
  readonly isTest: boolean;
  readonly paymentUrl: string;
  readonly declineCode: string;
  /** What was collected, in the provider's units and currency; only counted when paid. */
  readonly minor: bigint;
  readonly currencyCode: string;
};

/**
 * The state after a report. It only moves forward, so that reports may come late, twice and in any order: money that
 * arrives after all wins over expired and failed, and what is not what was asked for is parked for a person.
 */
export function stateAfter(
  payment: Pick<Payment, "state" | "minor" | "currencyCode">,
  report: Pick<PaymentReport, "state" | "minor" | "currencyCode">,
): PaymentState {
  const { state } = payment;
  const isExact = report.minor === payment.minor && report.currencyCode === payment.currencyCode;
  const said = report.state === "PAID" && !isExact ? "PARKED" : report.state;
  if (state === "PAID" || state === "PARKED") return state;
  return paymentStates.indexOf(said) > paymentStates.indexOf(state) ? said : state;
}

/** Whether the provider is known to have begun it. */
export function isBegun({ sessionId, intentId }: Pick<Payment, "sessionId" | "intentId">): boolean {
  return sessionId !== "" || intentId !== "";
}

/** Whether a repeated request asks for the same payment. */
export function isSameOrder(known: PaymentOrder, asked: PaymentOrder): boolean {
  return (
    known.orderId === asked.orderId &&
    known.accountId === asked.accountId &&
    known.amount === asked.amount &&
    known.currencyCode === asked.currencyCode &&
    known.method === asked.method &&
    known.paymentMethodId === asked.paymentMethodId &&
    known.subject === asked.subject &&
    known.clientIp === asked.clientIp &&
    known.returnUrl === asked.returnUrl &&
    known.expireTimeMs === asked.expireTimeMs
  );
}
