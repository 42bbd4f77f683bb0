import Stripe from "stripe";
import type { ProviderAnswer } from "../payment-provider.ts";

/**
 * Runs a call and says what is known of its effect. Only an answer that Stripe gives for good is REFUSED: a broken
 * connection, a timeout, 409, 429 and 5xx may have been carried out or may be later, and wrong credentials are ours to mend.
 */
export async function askStripe<T>(call: () => Promise<T>): Promise<ProviderAnswer<T>> {
  try {
    return { kind: "DONE", value: await call() };
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeError)) throw error;
    if (isFinal(error)) {
      const code = error.decline_code ?? error.code ?? error.type;
      return { kind: "REFUSED", code, message: error.message };
    }
    return { kind: "UNKNOWN", cause: error };
  }
}

function isFinal(error: InstanceType<typeof Stripe.errors.StripeError>): boolean {
  const { statusCode, code } = error;
  // The key was used with other words, as by another version of this code: what became of that call is to be looked up.
  if (error.type === "StripeIdempotencyError") return false;
  if (code === "lock_timeout" || code === "idempotency_key_in_use") return false;
  return statusCode === 400 || statusCode === 402 || statusCode === 404;
}
