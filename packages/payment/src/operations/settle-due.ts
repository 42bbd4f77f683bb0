import { claimDue, type DueTable, readDue } from "../store/claim-due.ts";
import { readMethod } from "../store/method-store.ts";
import { readRefund } from "../store/refund-store.ts";
import { advancePayment } from "./advance-payment.ts";
import { rereadRefund } from "./advance-refund.ts";
import { advanceSetup } from "./advance-setup.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { forgetMethod } from "./remove-payment-method.ts";

const batchMax = 50;
const claimMs = 30_000;

/**
 * The janitor: does what is due for payments, refunds, pages and saved methods that nobody waits for. What a process left half
 * done when it died, what a provider did not answer, what a webhook never told. Each is claimed just before its turn, and one
 * that fails holds up no other. Bounded a run, and safe in any number of processes.
 */
export async function settleDue(deps: PaymentDeps, signal: AbortSignal): Promise<void> {
  await settle(deps, "payment", signal, (id) => advancePayment(deps, id));
  await settle(deps, "refund", signal, async (id) => {
    const refund = await readRefund(deps.pool, { id });
    if (refund !== undefined) await rereadRefund(deps, refund);
  });
  await settle(deps, "method_setup", signal, (id) => advanceSetup(deps, id));
  await settle(deps, "payment_method", signal, async (id) => {
    const method = await readMethod(deps.pool, { id });
    if (method !== undefined) await forgetMethod(deps, method);
  });
}

async function settle(
  { pool, clock, events }: PaymentDeps,
  table: DueTable,
  signal: AbortSignal,
  work: (id: string) => Promise<unknown>,
): Promise<void> {
  for (const id of await readDue(pool, table, { nowMs: clock.nowMs(), limit: batchMax })) {
    if (signal.aborted) return;
    const nowMs = clock.nowMs();
    if (!(await claimDue(pool, table, { id, nowMs, untilMs: nowMs + claimMs }))) continue;
    await work(id).catch((error: unknown) => events.dutyPutOff(table, error));
  }
}
