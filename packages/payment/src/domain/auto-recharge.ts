import type { Nanos } from "@farebox/kit/money";
import type { Payment } from "./payment.ts";

/** How an account pays in by itself. Money is in `currencyCode`, which is the account's. */
export type AutoRecharge = {
  readonly accountId: string;
  readonly isEnabled: boolean;
  readonly currencyCode: string;
  readonly threshold: Nanos;
  readonly amount: Nanos;
  /** Empty for the default one. */
  readonly paymentMethodId: string;
  /** Undefined for no limit. */
  readonly limitPerMonth: Nanos | undefined;
  readonly attemptsPerDay: number;
  /** Failed one after another since the last success. */
  readonly failedAttempts: number;
  readonly nextAttemptMs: number | undefined;
  /** Why it was switched off by itself; empty when it was not. */
  readonly disabledReason: string;
  /** When somebody set it: how an attempt that was begun before ends says nothing of it. */
  readonly setTimeMs: number;
};

/** One try to pay in. OPEN until it is known how it ended: an account has one at a time. */
export const attemptStates = ["OPEN", "PAID", "FAILED"] as const;
export type AttemptState = (typeof attemptStates)[number];

export type RechargeAttempt = {
  /** 32 hex digits; the recharge's request id is made of it, so that it is one order whoever goes on with it. */
  readonly id: string;
  readonly accountId: string;
  readonly currencyCode: string;
  readonly amount: Nanos;
  readonly paymentMethodId: string;
  readonly state: AttemptState;
  readonly attempts: number;
  readonly createTimeMs: number;
};

/** How an attempt stands; `reason` says why it failed, and is empty when it did not. */
export type AttemptOutcome = { readonly state: AttemptState; readonly reason: string };

const open: AttemptOutcome = { state: "OPEN", reason: "" };

/**
 * How an attempt stands by its payment: PAID once the money is credited, so that the balance is not found low again, FAILED
 * once it is known that nothing was collected. Without a payment it is over when its order is: it ended before it was paid.
 */
export function outcomeOfPayment(
  payment: Pick<Payment, "state" | "isTold" | "declineCode"> | undefined,
  isOrderPending: boolean,
): AttemptOutcome {
  if (payment === undefined) return isOrderPending ? open : failed("order_ended");
  switch (payment.state) {
    case "PAID":
      return payment.isTold ? { state: "PAID", reason: "" } : open;
    case "PARKED":
      return failed("payment_parked");
    case "FAILED":
    case "EXPIRED":
      return failed(payment.declineCode || payment.state.toLowerCase());
    case "CREATED":
    case "UNKNOWN":
    case "PENDING":
      return open;
  }
}

function failed(reason: string): AttemptOutcome {
  return { state: "FAILED", reason };
}

/**
 * The setting after an attempt has ended. One that was begun before the setting was made changes nothing of it: whoever sets
 * anew has mended what failed.
 */
export function afterAttempt(
  setting: AutoRecharge,
  attempt: Pick<RechargeAttempt, "createTimeMs">,
  outcome: AttemptOutcome & { readonly state: Exclude<AttemptState, "OPEN"> },
  nowMs: number,
): AutoRecharge {
  if (attempt.createTimeMs < setting.setTimeMs) return setting;
  return outcome.state === "PAID"
    ? afterSuccess(setting)
    : afterFailure(setting, outcome.reason, nowMs);
}

/** What was tried lately. */
export type RecentAttempts = {
  readonly hasOpen: boolean;
  /** Within the last 24 hours, failed ones included, and the oldest of them. */
  readonly ofDay: number;
  readonly oldestOfDayMs: number;
  /** Paid or open within the last 30 days, and the oldest of them. */
  readonly paidOfMonth: Nanos;
  readonly oldestOfMonthMs: number;
};

/** What an account has to say for itself at a look: pay in, or look again later. */
export type RechargeDecision =
  | { readonly kind: "RECHARGE" }
  | { readonly kind: "WAIT"; readonly untilMs: number };

export const dayMs = 86_400_000;
export const monthMs = 30 * dayMs;

/** Decides for an account whose balance is below its threshold. */
export function decideRecharge(
  setting: AutoRecharge,
  recent: RecentAttempts,
  at: { readonly nowMs: number; readonly periodMs: number },
): RechargeDecision {
  const wait = (untilMs: number): RechargeDecision => ({
    kind: "WAIT",
    untilMs: Math.max(untilMs, at.nowMs + at.periodMs),
  });
  const { nextAttemptMs = 0, limitPerMonth, amount } = setting;
  if (recent.hasOpen) return wait(0);
  if (nextAttemptMs > at.nowMs) return wait(nextAttemptMs);
  if (recent.ofDay >= setting.attemptsPerDay) return wait(recent.oldestOfDayMs + dayMs);
  if (limitPerMonth !== undefined && recent.paidOfMonth + amount > limitPerMonth) {
    return wait(recent.oldestOfMonthMs + monthMs);
  }
  return { kind: "RECHARGE" };
}

const failuresMax = 4;
const firstPauseMs = 3_600_000;

/**
 * What no repetition mends: the payer or their bank must act. Source: docs.stripe.com/declines/codes, "Next steps", November
 * 2026; the words in capitals are our own refusals.
 */
const finalReasons: ReadonlySet<string> = new Set([
  "authentication_required",
  "expired_card",
  "incorrect_number",
  "invalid_account",
  "invalid_number",
  "lost_card",
  "pickup_card",
  "restricted_card",
  "revocation_of_all_authorizations",
  "revocation_of_authorization",
  "stolen_card",
  "stop_payment_order",
  "payment_parked",
  "ACCOUNT_NOT_FOUND",
  "AMOUNT_NOT_PAYABLE",
  "CURRENCY_MISMATCH",
  "INVALID_ARGUMENT",
  "PAYMENT_METHOD_NOT_FOUND",
  "PAYMENT_METHOD_UNSUITABLE",
]);

/** The setting after an attempt that failed: the next one after 1, 4 and 16 hours, and none after the fourth or a final no. */
export function afterFailure(setting: AutoRecharge, reason: string, nowMs: number): AutoRecharge {
  const failedAttempts = setting.failedAttempts + 1;
  if (finalReasons.has(reason) || failedAttempts >= failuresMax) {
    const off = { isEnabled: false, disabledReason: reason, nextAttemptMs: undefined };
    return { ...setting, ...off, failedAttempts };
  }
  const nextAttemptMs = nowMs + firstPauseMs * 4 ** (failedAttempts - 1);
  return { ...setting, failedAttempts, nextAttemptMs };
}

/** The setting after one that paid. */
export function afterSuccess(setting: AutoRecharge): AutoRecharge {
  return { ...setting, failedAttempts: 0, nextAttemptMs: undefined };
}
