import { inTransaction } from "@farebox/kit/mysql";
import { ownTurnMs } from "../domain/patience.ts";
import type { MethodState, SavedMethod } from "../domain/saved-method.ts";
import { lockCustomer, setDefaultMethod } from "../store/customer-store.ts";
import { listMethods, moveMethod } from "../store/method-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/**
 * Makes a method chargeable no more, and the newest other one the default if it was: REMOVING while the provider is still to
 * forget it, REMOVED when it knows it no longer. Done again it changes nothing.
 */
export async function takeOut(
  { pool, clock, events }: Pick<PaymentDeps, "pool" | "clock" | "events">,
  method: SavedMethod,
  state: Exclude<MethodState, "ACTIVE">,
): Promise<void> {
  const due = state === "REMOVING" ? { dueMs: clock.nowMs() + ownTurnMs } : {};
  const isMoved = await inTransaction(pool, async (tx) => {
    const customer = await lockCustomer(tx, method);
    if (!(await moveMethod(tx, method, { state, attempts: 0, ...due }))) return false;
    if (customer.defaultMethodId === method.id) {
      const [next] = await listMethods(tx, method, 1);
      await setDefaultMethod(tx, method, next?.id ?? "");
    }
    return true;
  });
  if (isMoved && state === "REMOVED") events.methodRemoved(method.accountId, method.id);
}
