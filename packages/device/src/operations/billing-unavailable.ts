import { AppError } from "@farebox/kit/app-error";

/** What a caller hears while Billing does not answer. */
export function billingUnavailable(cause: unknown): AppError {
  return new AppError("BILLING_UNAVAILABLE", "Billing does not answer; repeat the request.", {
    cause,
    retryAfterMs: 1000,
  });
}
