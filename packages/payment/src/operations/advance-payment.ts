import { AppError } from "@farebox/kit/app-error";
import { kindsFor } from "../domain/method-capabilities.ts";
import { keyAttemptsMax, keyMsMax, nextLookMs, retryDelayMs } from "../domain/patience.ts";
import { isBegun, type Payment, type PaymentReport } from "../domain/payment.ts";
import type { PaymentWay, ProviderAnswer } from "../providers/payment-provider.ts";
import { readMethod } from "../store/method-store.ts";
import {
  applyReport,
  markRefused,
  markUnknown,
  postponePayment,
  readPayment,
} from "../store/payment-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { tellBilling } from "./tell-billing.ts";

/** Long after a page could be paid: what the provider does not know then was not paid. */
const pageMsMax = 48 * 3_600_000;

/**
 * Does the next thing for a payment: asks the provider how it stands, or begins it, notes what was said, and tells Billing
 * how it ended. The webhook, the page that the payer returns to, the reconciler and the janitor all call this; any number
 * of times, side by side and in any order.
 *
 * Answers the payment as it then stands, and whether the provider spoke. Errors: PAYMENT_NOT_FOUND, UNAVAILABLE.
 */
export async function advancePayment(
  deps: PaymentDeps,
  id: string,
): Promise<{ readonly payment: Payment; readonly hasSpoken: boolean }> {
  const before = await requirePayment(deps, id);
  const hasSpoken = before.isTold ? true : await hearProvider(deps, before);
  const after = await requirePayment(deps, id);
  if (!isOver(after) || after.isTold) return { payment: after, hasSpoken };
  await tellBilling(deps, after);
  return { payment: await requirePayment(deps, id), hasSpoken };
}

/** As `advancePayment`, also for one that has ended: money may have arrived after all. */
export async function reopenPayment(deps: PaymentDeps, id: string): Promise<void> {
  const payment = await requirePayment(deps, id);
  const mayStillBePaid = payment.state === "EXPIRED" || payment.state === "FAILED";
  if (payment.isTold && mayStillBePaid) await hearProvider(deps, payment);
  await advancePayment(deps, id);
}

/** Asks the provider. Answers whether it said anything. */
async function hearProvider(deps: PaymentDeps, payment: Payment): Promise<boolean> {
  if (payment.state === "PAID" || payment.state === "PARKED") return true;
  const nowMs = deps.clock.nowMs();
  const answer = await askProvider(deps, payment, nowMs);
  switch (answer.kind) {
    case "DONE":
      await note(deps, payment, answer.value, nowMs);
      return true;
    case "REFUSED":
      if (!isBegun(payment) || nowMs - payment.createTimeMs > pageMsMax) {
        await markRefused(deps.pool, payment, answer.code, nowMs);
        return true;
      }
      // It was begun and is not there any more: nobody can say whether it was paid.
      await postponePayment(deps.pool, payment, nowMs + retryDelayMs(payment.attempts));
      deps.events.paymentParked(payment, answer.code);
      return false;
    case "UNKNOWN":
      deps.events.providerSilent("payment", answer.cause);
      await markUnknown(deps.pool, payment, nowMs + retryDelayMs(payment.attempts));
      return false;
  }
}

async function askProvider(
  deps: PaymentDeps,
  payment: Payment,
  nowMs: number,
): Promise<ProviderAnswer<PaymentReport>> {
  const provider = payment.provider === "manual" ? deps.manual : deps.provider;
  if (isBegun(payment)) return provider.read(payment);
  const isKeyKnown = nowMs - payment.createTimeMs < keyMsMax;
  const way = await wayOf(deps, payment);
  if (isKeyKnown && payment.attempts < keyAttemptsMax) return provider.begin(payment, way);
  const found = await provider.find(payment, way);
  if (found.kind !== "DONE") return found;
  if (found.value !== undefined) return { kind: "DONE", value: found.value };
  if (isKeyKnown) return provider.begin(payment, way);
  return { kind: "REFUSED", code: "never_begun", message: "The provider knows no such payment." };
}

/** The saved method is read also when it has been removed since: the key wants the same words. */
async function wayOf({ pool, kinds }: PaymentDeps, payment: Payment): Promise<PaymentWay> {
  const { method: kind, currencyCode, paymentMethodId: id } = payment;
  const method = id === "" ? undefined : await readMethod(pool, { id });
  return { kinds: kindsFor(kinds, kind, currencyCode), method };
}

async function note(
  deps: PaymentDeps,
  payment: Payment,
  report: PaymentReport,
  nowMs: number,
): Promise<void> {
  const isWaiting = report.state === "PENDING";
  await applyReport(deps.pool, payment, report, {
    nowMs,
    dueMs: isWaiting ? nextLookMs(payment.createTimeMs, nowMs) : nowMs,
  });
}

function isOver({ state }: Payment): boolean {
  return state === "PAID" || state === "PARKED" || state === "EXPIRED" || state === "FAILED";
}

async function requirePayment(deps: PaymentDeps, id: string): Promise<Payment> {
  const payment = await readPayment(deps.pool, { id });
  if (payment === undefined) throw new AppError("PAYMENT_NOT_FOUND");
  return payment;
}
