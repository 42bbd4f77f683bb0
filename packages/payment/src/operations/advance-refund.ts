import { AppError, isRefusal } from "@farebox/kit/app-error";
import { ReversalKind } from "@farebox/proto/farebox/billing/v1/recharge";
import { keyAttemptsMax, keyMsMax, retryDelayMs } from "../domain/patience.ts";
import { nextRefundStep, type Refund, type RefundStep } from "../domain/refund.ts";
import type { ProviderAnswer, RefundReport } from "../providers/payment-provider.ts";
import { readPayment } from "../store/payment-store.ts";
import {
  markRefundTaking,
  markRefundTold,
  moveRefund,
  postponeRefund,
  readRefund,
} from "../store/refund-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/** More steps than any refund has. */
const stepsMax = 8;
const pendingLookMs = 6 * 3_600_000;

/** A refund as it stands, and why it went no further when somebody waits for it. */
export type AdvancedRefund = { readonly refund: Refund; readonly refusal: AppError | undefined };

/**
 * Goes on with a refund as far as it goes now: money is set aside, the provider asked, Billing told. Each step is noted
 * before the next, so that a process that dies goes on where it was, and each can be done twice. Errors: UNAVAILABLE.
 */
export async function advanceRefund(deps: PaymentDeps, id: string): Promise<AdvancedRefund> {
  for (let steps = 0; steps < stepsMax; steps += 1) {
    const refund = await requireRefund(deps, id);
    const step = nextRefundStep(refund);
    if (step === "REST" || step === "READ") {
      const dueMs = step === "REST" ? undefined : deps.clock.nowMs() + pendingLookMs;
      await postponeRefund(deps.pool, refund, dueMs);
      return { refund, refusal: undefined };
    }
    const refusal = await takeStep(deps, refund, step);
    if (refusal !== undefined) return { refund: await requireRefund(deps, id), refusal };
  }
  throw new Error(`refund ${id} does not come to rest`);
}

/** Asks the provider how a refund stands, and goes on from there. For one that succeeded too: a payer's bank may send it back. */
export async function rereadRefund(deps: PaymentDeps, refund: Refund): Promise<void> {
  if (refund.providerRefundId !== "") {
    const answer = await deps.provider.readRefund(refund.providerRefundId);
    if (answer.kind === "UNKNOWN") throw new AppError("PAYMENT_UNAVAILABLE");
    if (answer.kind === "DONE") await note(deps, refund, answer.value);
  }
  await advanceRefund(deps, refund.id);
}

async function takeStep(
  deps: PaymentDeps,
  refund: Refund,
  step: Exclude<RefundStep, "REST" | "READ">,
): Promise<AppError | undefined> {
  if (step === "ASK") return askProvider(deps, refund);
  if (step !== "REVERSE" || refund.told === "TAKING") return tell(deps, refund, step);
  // Noted first: a refund that fails before the answer is noted must still be given back.
  if (!(await markRefundTaking(deps.pool, refund))) return undefined;
  return tell(deps, { ...refund, told: "TAKING" }, step);
}

async function tell(
  deps: PaymentDeps,
  refund: Refund,
  step: "RESERVE" | "REVERSE" | "RETURN",
): Promise<AppError | undefined> {
  const { billing, pool } = deps;
  const ids = { paymentOrderId: refund.orderId, reversalId: `rfd_${refund.id}` };
  const money = { amountNanos: refund.amount, currencyCode: refund.currencyCode };
  try {
    switch (step) {
      case "RESERVE":
        await billing.reserveRefund({ ...ids, amount: money });
        await markRefundTold(pool, refund, "RESERVED");
        return undefined;
      case "REVERSE":
        await billing.reverseRecharge({ ...ids, amount: money, kind: ReversalKind.REFUND });
        await markRefundTold(pool, refund, "REVERSED");
        deps.events.refundMoved({ ...refund, told: "REVERSED" });
        return undefined;
      case "RETURN":
        // Billing may not know of it yet; once told and undone, a call that is still under way changes nothing.
        if (refund.told === "TAKING") {
          await billing.reverseRecharge({ ...ids, amount: money, kind: ReversalKind.REFUND });
        }
        await billing.reinstateRecharge(ids);
        await markRefundTold(pool, refund, "RETURNED");
        deps.events.refundMoved({ ...refund, told: "RETURNED" });
        return undefined;
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (isRefusal(error) && step === "RESERVE") {
      // Nothing was set aside and nobody was asked: it did not happen.
      await moveRefund(pool, refund, {
        state: "FAILED",
        failureReason: error.reason.toLowerCase(),
        dueMs: undefined,
      });
      return error;
    }
    if (isRefusal(error)) {
      // Of an order that was never credited there is nothing to take back or to give back.
      deps.events.dutyPutOff("refund", error);
      await markRefundTold(pool, refund, "RETURNED");
      return undefined;
    }
    await postponeRefund(pool, refund, deps.clock.nowMs() + retryDelayMs(refund.attempts));
    return new AppError("PAYMENT_UNAVAILABLE", undefined, { cause: error, retryAfterMs: 1000 });
  }
}

async function askProvider(deps: PaymentDeps, refund: Refund): Promise<AppError | undefined> {
  const nowMs = deps.clock.nowMs();
  const answer = await ask(deps, refund, nowMs);
  switch (answer.kind) {
    case "DONE":
      await note(deps, refund, answer.value);
      return undefined;
    case "REFUSED":
      await moveRefund(deps.pool, refund, {
        state: "FAILED",
        failureReason: answer.code,
        dueMs: nowMs,
      });
      return undefined;
    case "UNKNOWN":
      deps.events.providerSilent("refund", answer.cause);
      await moveRefund(deps.pool, refund, {
        state: "UNKNOWN",
        dueMs: nowMs + retryDelayMs(refund.attempts),
      });
      return new AppError("PAYMENT_UNAVAILABLE", undefined, { retryAfterMs: 1000 });
  }
}

async function ask(
  { provider, pool }: PaymentDeps,
  refund: Refund,
  nowMs: number,
): Promise<ProviderAnswer<RefundReport>> {
  const payment = await readPayment(pool, { id: refund.paymentId });
  if (payment === undefined) throw new Error(`refund ${refund.id} has no payment`);
  const isKeyKnown = nowMs - refund.createTimeMs < keyMsMax;
  if (isKeyKnown && refund.attempts < keyAttemptsMax) return provider.refund(refund, payment);
  const found = await provider.findRefund(refund, payment);
  if (found.kind !== "DONE") return found;
  if (found.value !== undefined) return { kind: "DONE", value: found.value };
  if (isKeyKnown) return provider.refund(refund, payment);
  return { kind: "REFUSED", code: "never_made", message: "The provider knows no such refund." };
}

async function note(deps: PaymentDeps, refund: Refund, report: RefundReport): Promise<void> {
  const { state, providerRefundId, failureReason } = report;
  const dueMs = deps.clock.nowMs();
  await moveRefund(deps.pool, refund, { state, providerRefundId, failureReason, dueMs });
  if (state !== refund.state) deps.events.refundMoved({ ...refund, state });
}

async function requireRefund(deps: PaymentDeps, id: string): Promise<Refund> {
  const refund = await readRefund(deps.pool, { id });
  if (refund === undefined) throw new Error(`refund ${id} is gone`);
  return refund;
}
