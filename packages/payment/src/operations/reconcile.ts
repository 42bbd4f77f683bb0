import { AppError } from "@farebox/kit/app-error";
import { fromMinor } from "../domain/minor-units.ts";
import type { Payment } from "../domain/payment.ts";
import type { ListedPayment } from "../providers/payment-provider.ts";
import { noteDifference } from "../store/difference-store.ts";
import { insertEvent } from "../store/event-store.ts";
import { readPayment } from "../store/payment-store.ts";
import { reopenPayment } from "./advance-payment.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { workEvents } from "./work-events.ts";

/** What a comparison found. */
export type Reconciled = {
  readonly compared: number;
  readonly credited: number;
  readonly differences: number;
};

/**
 * Compares with the provider's own lists: events that no webhook brought are worked on as if one had, payments that turn
 * out to be paid are credited, and every difference is noted once. Any number of times.
 *
 * Errors: PAYMENT_UNAVAILABLE when the provider does not answer.
 */
export async function reconcile(
  deps: PaymentDeps,
  sinceMs: number,
  signal: AbortSignal,
): Promise<Reconciled> {
  const { provider, pool } = deps;
  const listed = await provider.payments(sinceMs);
  const told = await provider.events(sinceMs);
  if (listed.kind !== "DONE" || told.kind !== "DONE") throw new AppError("PAYMENT_UNAVAILABLE");
  let credited = 0;
  let differences = 0;
  for (const found of listed.value) {
    signal.throwIfAborted();
    const outcome = await comparePayment(deps, found);
    if (outcome.isCredited) credited += 1;
    if (outcome.isNew) differences += 1;
  }
  for (const event of told.value.toReversed()) {
    await insertEvent(pool, { ...event, provider: provider.name }, deps.clock.nowMs());
  }
  await workEvents(deps, signal);
  return { compared: listed.value.length, credited, differences };
}

async function comparePayment(
  deps: PaymentDeps,
  { objectId, paymentId, report }: ListedPayment,
): Promise<{ readonly isCredited: boolean; readonly isNew: boolean }> {
  const nothing = { isCredited: false, isNew: false };
  // Whatever else is sold by this Stripe account.
  if (paymentId === "") return nothing;
  const before = await readPayment(deps.pool, { id: paymentId });
  if (report.state !== "PAID") return nothing;
  if (before !== undefined && isCredited(before)) return nothing;
  if (before !== undefined) await reopenPayment(deps, before.id);
  const after = before && (await readPayment(deps.pool, { id: before.id }));
  const isRepaired = after !== undefined && isCredited(after);
  const difference = {
    kind: before === undefined ? "payment_unknown" : "paid_not_credited",
    objectId,
    paymentId: before?.id ?? "",
    providerAmount: fromMinor(report.minor, report.currencyCode),
    ourAmount: 0n,
    currencyCode: report.currencyCode,
    isRepaired,
  };
  const isNew = await noteDifference(deps.pool, difference, deps.clock.nowMs());
  if (isNew) deps.events.differenceFound(difference);
  return { isCredited: isRepaired, isNew };
}

function isCredited({ state, isTold }: Payment): boolean {
  return state === "PAID" && isTold;
}
