import { AppError, isRefusal } from "@farebox/kit/app-error";
import { retryDelayMs } from "../domain/patience.ts";
import type { EventState, ProviderEvent } from "../domain/provider-event.ts";
import { claimEvents, moveEvent } from "../store/event-store.ts";
import { readPayment } from "../store/payment-store.ts";
import { readSetup } from "../store/setup-store.ts";
import { adoptRefund } from "./adopt-refund.ts";
import { advanceDispute } from "./advance-dispute.ts";
import { reopenPayment } from "./advance-payment.ts";
import { advanceSetup } from "./advance-setup.ts";
import { hearOfCustomer, hearOfMethod } from "./hear-of-method.ts";
import type { PaymentDeps } from "./payment-deps.ts";

import { ownerOf } from "./told-payment-of.ts";

const batchMax = 20;
const batchesMax = 50;
const claimMs = 30_000;
/** After about a day of trying a person must look. */
const attemptsMax = 32;

/**
 * Works on what providers told, oldest first, until nothing is due: each event is only a hint, and its object is read anew.
 * What cannot be placed is parked with an alarm, never dropped. Safe in any number of processes at once.
 */
export async function workEvents(deps: PaymentDeps, signal: AbortSignal): Promise<void> {
  for (let batch = 0; batch < batchesMax && !signal.aborted; batch += 1) {
    const nowMs = deps.clock.nowMs();
    const bounds = { nowMs, untilMs: nowMs + claimMs, limit: batchMax };
    const events = await claimEvents(deps.pool, bounds);
    if (events.length === 0) return;
    for (const event of events) {
      if (signal.aborted) return;
      await workOn(deps, event);
    }
  }
}

async function workOn(deps: PaymentDeps, event: ProviderEvent): Promise<void> {
  try {
    const { state, reason } = await judge(deps, event);
    if (state === "PARKED") deps.events.eventParked(event, reason);
    await moveEvent(deps.pool, event, { state, reason });
  } catch (error) {
    const reason = error instanceof AppError ? error.reason : "INTERNAL";
    const isLast = isRefusal(error) || event.attempts + 1 >= attemptsMax;
    if (isLast) deps.events.eventParked(event, reason);
    const dueMs = deps.clock.nowMs() + retryDelayMs(event.attempts);
    await moveEvent(
      deps.pool,
      event,
      isLast ? { state: "PARKED", reason } : { state: "PENDING", reason, dueMs },
    );
  }
}

type Judgement = { readonly state: EventState; readonly reason: string };
const done: Judgement = { state: "DONE", reason: "" };
const unknown: Judgement = { state: "PARKED", reason: "unknown object" };
const foreign: Judgement = {
  state: "IGNORED",
  reason: "of something else that this account sells",
};
const judgements = { DONE: done, FOREIGN: foreign, UNKNOWN: unknown } as const;

async function judge(deps: PaymentDeps, event: ProviderEvent): Promise<Judgement> {
  if (event.apiVersion !== deps.provider.apiVersion) {
    return { state: "PARKED", reason: `written in API version ${event.apiVersion || "unknown"}` };
  }
  const { type, objectId } = event;
  if (type.startsWith("charge.dispute.")) {
    return judgements[await advanceDispute(deps, objectId)];
  }
  if (type === "charge.refunded") return judgeRefunds(deps, objectId);
  if (type.startsWith("refund.")) {
    const answer = await deps.provider.readRefund(objectId);
    if (answer.kind === "UNKNOWN") throw new AppError("PAYMENT_UNAVAILABLE");
    return answer.kind === "DONE" ? judgements[await adoptRefund(deps, answer.value)] : unknown;
  }
  if (/^(checkout\.session|payment_intent|setup_intent)\./.test(type))
    return judgeObject(deps, objectId);
  if (type.startsWith("payment_method.")) return judgements[await hearOfMethod(deps, objectId)];
  if (type === "customer.deleted") {
    await hearOfCustomer(deps, objectId);
    return done;
  }
  return { state: "IGNORED", reason: "nothing is done for events of this type" };
}

async function judgeRefunds(deps: PaymentDeps, chargeId: string): Promise<Judgement> {
  const answer = await deps.provider.refundsOf(chargeId);
  if (answer.kind === "UNKNOWN") throw new AppError("PAYMENT_UNAVAILABLE");
  if (answer.kind === "REFUSED") return unknown;
  for (const report of answer.value) {
    const outcome = await adoptRefund(deps, report);
    if (outcome !== "DONE") return judgements[outcome];
  }
  return done;
}

/** A page or an intent: of a payment, or of a method that is being saved. */
async function judgeObject(deps: PaymentDeps, objectId: string): Promise<Judgement> {
  const key = objectId.startsWith("cs_") ? { sessionId: objectId } : { intentId: objectId };
  const known = await readPayment(deps.pool, key);
  if (known !== undefined) return judgePayment(deps, known.id);
  const owner = await ownerOf(deps, objectId);
  if (owner.kind === "PAYMENT") return judgePayment(deps, owner.paymentId);
  if (owner.kind === "SETUP") return judgeSetup(deps, owner.setupId);
  return owner.kind === "FOREIGN" ? foreign : unknown;
}

async function judgeSetup(deps: PaymentDeps, id: string): Promise<Judgement> {
  if ((await readSetup(deps.pool, { id })) === undefined) return unknown;
  const { state, attempts } = await advanceSetup(deps, id);
  if (state === "CREATED" || attempts > 0) throw new AppError("PAYMENT_UNAVAILABLE");
  return done;
}

async function judgePayment(deps: PaymentDeps, paymentId: string): Promise<Judgement> {
  if (!(await readPayment(deps.pool, { id: paymentId }))) return unknown;
  await reopenPayment(deps, paymentId);
  const after = await readPayment(deps.pool, { id: paymentId });
  // The event says that something came to pass: until Billing knows, it is not done.
  const isSettled = after?.state !== "UNKNOWN" && after?.state !== "CREATED";
  const isKnown = after?.state !== "PAID" || after.isTold;
  if (!isSettled || !isKnown) throw new AppError("UNAVAILABLE");
  return done;
}
