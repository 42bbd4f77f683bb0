import { AppError } from "@farebox/kit/app-error";
import type { Queryable } from "@farebox/kit/column-values";
import { type SavedMethod, savedMethodsMax } from "../domain/saved-method.ts";
import { readCustomer } from "../store/customer-store.ts";
import { listMethods, readMethod } from "../store/method-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/** A saved method, and whether it pays when no other is named. */
export type ListedMethod = { readonly method: SavedMethod; readonly isDefault: boolean };

/** What saved methods are read with: the pool, or the transaction that something is decided in. */
export type MethodReader = Pick<PaymentDeps, "provider"> & { readonly pool: Queryable };

/** Reads what an account has saved, newest first. */
export async function listSavedMethods(
  { pool, provider }: Pick<PaymentDeps, "pool" | "provider">,
  accountId: string,
): Promise<readonly ListedMethod[]> {
  const key = { accountId, isTest: provider.isTest };
  const customer = await readCustomer(pool, key);
  const methods = await listMethods(pool, key, savedMethodsMax);
  return methods.map((method) => ({ method, isDefault: method.id === customer?.defaultMethodId }));
}

/**
 * Reads a method of an account that can be charged: the default one when none is named. Errors: PAYMENT_METHOD_NOT_FOUND
 * when there is none, it is removed, or it is another account's.
 */
export async function requireMethod(
  { pool, provider }: MethodReader,
  of: { readonly accountId: string; readonly id: string },
): Promise<SavedMethod> {
  const { isTest } = provider;
  const { accountId } = of;
  const id = of.id || (await readCustomer(pool, { accountId, isTest }))?.defaultMethodId;
  const method = id ? await readMethod(pool, { id }) : undefined;
  const isTheirs = method?.accountId === accountId && method.isTest === isTest;
  if (method === undefined || !isTheirs || method.state !== "ACTIVE") {
    throw new AppError("PAYMENT_METHOD_NOT_FOUND");
  }
  return method;
}
