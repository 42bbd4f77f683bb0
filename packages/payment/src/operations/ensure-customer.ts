import { AppError } from "@farebox/kit/app-error";
import type { Customer } from "../domain/saved-method.ts";
import { ensureCustomerRow, readCustomer, setProviderCustomer } from "../store/customer-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/**
 * An account's customer at the provider, made when there is none. It is kept here before the provider is asked, under a key
 * of ours; should the provider have forgotten the key by then, an empty customer is left over there, which costs nothing.
 *
 * Errors: PAYMENT_UNAVAILABLE.
 */
export async function ensureCustomer(deps: PaymentDeps, accountId: string): Promise<Customer> {
  const { pool, provider, clock, events } = deps;
  const key = { accountId, isTest: provider.isTest };
  const customer = await ensureCustomerRow(pool, key, clock.nowMs());
  if (customer.providerCustomerId !== "") return customer;
  const answer = await provider.createCustomer(customer);
  if (answer.kind !== "DONE") {
    events.providerSilent("customer", answer.kind === "UNKNOWN" ? answer.cause : answer.code);
    throw new AppError("PAYMENT_UNAVAILABLE", undefined, { retryAfterMs: 1000 });
  }
  await setProviderCustomer(pool, customer, answer.value);
  return (await readCustomer(pool, key)) ?? customer;
}
