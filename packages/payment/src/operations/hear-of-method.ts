import { AppError } from "@farebox/kit/app-error";
import { forgetProviderCustomer } from "../store/customer-store.ts";
import { methodsOfCustomer, readMethod, refreshMethod } from "../store/method-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { takeOut } from "./take-out-method.ts";

/**
 * Reads a saved method anew after word of it: a card that was renewed shows its new month, one that was detached at the
 * provider's site is charged no more. FOREIGN when it is none that was saved here. Errors: PAYMENT_UNAVAILABLE.
 */
export async function hearOfMethod(
  deps: PaymentDeps,
  providerMethodId: string,
): Promise<"DONE" | "FOREIGN"> {
  const method = await readMethod(deps.pool, { providerMethodId });
  if (method === undefined) return "FOREIGN";
  const answer = await deps.provider.readMethod(providerMethodId);
  if (answer.kind === "UNKNOWN") throw new AppError("PAYMENT_UNAVAILABLE");
  const isTheirs =
    answer.kind === "DONE" && answer.value.providerCustomerId === method.providerCustomerId;
  if (isTheirs) await refreshMethod(deps.pool, method, answer.value);
  else await takeOut(deps, method, "REMOVED");
  return "DONE";
}

/** Forgets a customer that was deleted at the provider's site, with everything that was saved for it. Errors: PAYMENT_UNAVAILABLE. */
export async function hearOfCustomer(deps: PaymentDeps, providerCustomerId: string): Promise<void> {
  if ((await forgetCustomerIfGone(deps, providerCustomerId)) === "UNKNOWN") {
    throw new AppError("PAYMENT_UNAVAILABLE");
  }
}

/** Forgets a customer that the provider knows no longer, with everything that was saved for it; done again nothing changes. */
export async function forgetCustomerIfGone(
  deps: PaymentDeps,
  providerCustomerId: string,
): Promise<"GONE" | "THERE" | "UNKNOWN"> {
  const answer = await deps.provider.hasCustomer(providerCustomerId);
  if (answer.kind !== "DONE") return "UNKNOWN";
  if (answer.value) return "THERE";
  for (const method of await methodsOfCustomer(deps.pool, providerCustomerId)) {
    await takeOut(deps, method, "REMOVED");
  }
  await forgetProviderCustomer(deps.pool, providerCustomerId, deps.clock.nowMs());
  return "GONE";
}
