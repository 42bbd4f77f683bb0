import { AppError } from "@farebox/kit/app-error";
import { inTransaction, type PoolConnection } from "@farebox/kit/mysql";
import { retryDelayMs } from "../domain/payment.ts";
import type { MethodState, SavedMethod } from "../domain/saved-method.ts";
import { lockCustomer, setDefaultMethod } from "../store/customer-store.ts";
import { listMethods, moveMethod, readMethod } from "../store/method-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/** For so long whoever removes it has the first turn at the provider. */
const ownTurnMs = 10_000;

/**
 * Forgets a saved method: here at once, so that nothing is charged by it any more, and then at the provider. Should it be the
 * default, the newest other one becomes it. Removing again answers the same.
 *
 * Errors: PAYMENT_METHOD_NOT_FOUND, PAYMENT_UNAVAILABLE while the provider does not answer: it is tried again without being
 * asked to, too.
 */
export async function removePaymentMethod(
  deps: PaymentDeps,
  of: { readonly accountId: string; readonly id: string },
): Promise<void> {
  const method = await readMethod(deps.pool, { id: of.id });
  const isTheirs = method?.accountId === of.accountId && method.isTest === deps.provider.isTest;
  if (method === undefined || !isTheirs) throw new AppError("PAYMENT_METHOD_NOT_FOUND");
  if (method.state === "ACTIVE") await takeOut(deps, method, "REMOVING");
  if (method.state === "REMOVED") return;
  if (await forgetMethod(deps, method)) return;
  throw new AppError("PAYMENT_UNAVAILABLE", undefined, { retryAfterMs: 1000 });
}

/** Makes a method chargeable no more, and another the default if it was. Done again it changes nothing. */
export async function takeOut(
  { pool, clock }: Pick<PaymentDeps, "pool" | "clock">,
  method: SavedMethod,
  state: Exclude<MethodState, "ACTIVE">,
): Promise<void> {
  const due = state === "REMOVING" ? { dueMs: clock.nowMs() + ownTurnMs } : {};
  await inTransaction(pool, async (tx: PoolConnection) => {
    const customer = await lockCustomer(tx, method);
    await moveMethod(tx, method, { state, attempts: 0, ...due });
    if (customer?.defaultMethodId !== method.id) return;
    const [next] = await listMethods(tx, method, 1);
    await setDefaultMethod(tx, method, next?.id ?? "");
  });
}

/** Forgets a method at the provider. Answers whether that is known to be done; it is due again when it is not. */
export async function forgetMethod(deps: PaymentDeps, method: SavedMethod): Promise<boolean> {
  const { pool, provider, clock, events } = deps;
  const answer = await provider.detachMethod(method.providerMethodId);
  if (answer.kind === "UNKNOWN") {
    events.providerSilent("detach", answer.cause);
    const dueMs = clock.nowMs() + retryDelayMs(method.attempts);
    await moveMethod(pool, method, { state: "REMOVING", attempts: method.attempts + 1, dueMs });
    return false;
  }
  // Refused is done as well: it is not saved there any more.
  await moveMethod(pool, method, { state: "REMOVED", attempts: 0 });
  events.methodRemoved(method.accountId, method.id);
  return true;
}
