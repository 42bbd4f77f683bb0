import { AppError } from "@farebox/kit/app-error";

/** True when Billing answered no, and will again. Otherwise nothing is known: ask again with the same ids. */
export function isRefusal(error: unknown): error is AppError {
  return error instanceof AppError && !passing.has(error.reason);
}

/** What a caller hears while Billing does not answer. */
export function billingUnavailable(cause: unknown): AppError {
  return new AppError("BILLING_UNAVAILABLE", "Billing does not answer; repeat the request.", {
    cause,
    retryAfterMs: 1000,
  });
}

const passing: ReadonlySet<string> = new Set([
  "UNAVAILABLE",
  "DEADLINE_EXCEEDED",
  "CANCELLED",
  "INTERNAL",
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
]);
