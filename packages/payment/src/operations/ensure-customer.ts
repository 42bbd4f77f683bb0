import type { ProviderAnswer } from "../providers/payment-provider.ts";
import { ensureCustomerRow, readCustomer, setProviderCustomer } from "../store/customer-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/**
 * The provider's id of an account's customer, made when there is none. The customer is kept here before the provider is asked,
 * under a key of ours; should the provider have forgotten the key by then, an empty customer is left over there, which costs
 * nothing.
 */
export async function ensureCustomer(
  { pool, provider, clock }: PaymentDeps,
  accountId: string,
): Promise<ProviderAnswer<string>> {
  const key = { accountId, isTest: provider.isTest };
  const customer = await ensureCustomerRow(pool, key, clock.nowMs());
  if (customer.providerCustomerId !== "")
    return { kind: "DONE", value: customer.providerCustomerId };
  const answer = await provider.createCustomer(customer);
  if (answer.kind !== "DONE") return answer;
  await setProviderCustomer(pool, customer, answer.value);
  const kept = await readCustomer(pool, key);
  return { kind: "DONE", value: kept?.providerCustomerId || answer.value };
}
