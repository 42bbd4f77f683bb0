import { AppError } from "@farebox/kit/app-error";
import { inTransaction } from "@farebox/kit/mysql";
import type { SavedMethod } from "../domain/saved-method.ts";
import { lockCustomer, setDefaultMethod as writeDefault } from "../store/customer-store.ts";
import { readMethod } from "../store/method-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/** Says which saved method pays when no other is named. Errors: PAYMENT_METHOD_NOT_FOUND. */
export function setDefaultMethod(
  { pool, provider }: Pick<PaymentDeps, "pool" | "provider">,
  of: { readonly accountId: string; readonly id: string },
): Promise<SavedMethod> {
  const key = { accountId: of.accountId, isTest: provider.isTest };
  return inTransaction(pool, async (tx) => {
    await lockCustomer(tx, key);
    const method = await readMethod(tx, { id: of.id });
    const isTheirs = method?.accountId === key.accountId && method.isTest === key.isTest;
    if (method === undefined || !isTheirs || method.state !== "ACTIVE") {
      throw new AppError("PAYMENT_METHOD_NOT_FOUND");
    }
    await writeDefault(tx, key, method.id);
    return method;
  });
}
