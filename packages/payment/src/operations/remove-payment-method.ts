import { AppError } from "@farebox/kit/app-error";
import { retryDelayMs } from "../domain/patience.ts";
import type { SavedMethod } from "../domain/saved-method.ts";
import { moveMethod, readMethod } from "../store/method-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { takeOut } from "./take-out-method.ts";

/**
 * Forgets a saved method: here at once, so that no payment begins by it any more, and then at the provider. One
 * that was kept before may still be charged, as it may have been already. Should it be the
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
  await takeOut(deps, method, "REMOVED");
  return true;
}
