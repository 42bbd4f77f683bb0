import { AppError } from "@farebox/kit/app-error";
import { formatNanos } from "@farebox/kit/money";
import { allReasons, type Reason } from "@farebox/kit/reasons";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import type { Denial, QuotaPool } from "./quota-pool.ts";

/** The refusal of a call that the account cannot pay for, with what remains: what Billing has and what the lease has left. */
export function deniedError(pool: QuotaPool, denial: Denial): AppError {
  const free = pool.lease?.free ?? 0n;
  return new AppError(denial.reason, undefined, {
    metadata: {
      available: formatNanos(denial.available + (free > 0n ? free : 0n)),
      receivable: formatNanos(denial.receivable),
    },
  });
}

/** The refusal of a call while Billing does not answer. */
export function billingUnavailable(cause?: unknown): AppError {
  return new AppError("BILLING_UNAVAILABLE", undefined, { retryAfterMs: 1000, cause });
}

/** The name of a reason that Billing answered by number; undefined for none, or one of a newer release. */
export function reasonOf(number: ErrorReason): Reason | undefined {
  return allReasons().find((reason) => ErrorReason[reason] === number);
}
