import { inTransaction } from "@farebox/kit/mysql";
import type { SavedMethod } from "../domain/saved-method.ts";
import { lockCustomer, setDefaultMethod as writeDefault } from "../store/customer-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { requireMethod } from "./read-methods.ts";

/** Says which saved method pays when no other is named. Errors: PAYMENT_METHOD_NOT_FOUND. */
export async function setDefaultMethod(
  { pool, provider }: Pick<PaymentDeps, "pool" | "provider">,
  of: { readonly accountId: string; readonly id: string },
): Promise<SavedMethod> {
  const known = await requireMethod({ pool, provider }, of);
  return inTransaction(pool, async (tx) => {
    await lockCustomer(tx, known);
    // Again, as nobody removes it from here on.
    const method = await requireMethod({ pool: tx, provider }, of);
    await writeDefault(tx, method, method.id);
    return method;
  });
}
