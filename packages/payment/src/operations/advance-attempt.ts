import { isRefusal } from "@farebox/kit/app-error";
import { formatId } from "@farebox/kit/ids";
import { inTransaction } from "@farebox/kit/mysql";
import { RechargeState } from "@farebox/proto/farebox/billing/v1/recharge";
import {
  type AttemptOutcome,
  afterAttempt,
  outcomeOfPayment,
  type RechargeAttempt,
} from "../domain/auto-recharge.ts";
import { retryDelayMs } from "../domain/patience.ts";
import { lockAutoRecharge, saveAutoRecharge } from "../store/auto-recharge-store.ts";
import { readPayment } from "../store/payment-store.ts";
import { endAttempt, postponeAttempt } from "../store/recharge-attempt-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";

/**
 * Does the next thing for an attempt: asks Billing for the recharge, under a request id made of the attempt's, and looks at
 * how its payment stands. It ends as PAID once the money is credited, so that the balance is not found low again, and as
 * FAILED once it is known that nothing was collected. Any number of times.
 */
export async function advanceAttempt(
  deps: PaymentDeps,
  attempt: RechargeAttempt,
  signal: AbortSignal,
): Promise<void> {
  const outcome = await outcomeOf(deps, attempt, signal);
  const nowMs = deps.clock.nowMs();
  const { state, reason } = outcome;
  if (state === "OPEN") {
    await postponeAttempt(deps.pool, attempt, nowMs + retryDelayMs(attempt.attempts));
    return;
  }
  const ended = await inTransaction(deps.pool, async (tx) => {
    const setting = await lockAutoRecharge(tx, attempt.accountId);
    const isFirst = await endAttempt(tx, attempt, { state, reason });
    if (!isFirst) return undefined;
    if (!setting?.isEnabled) return { isSwitchedOff: false };
    const changed = afterAttempt(setting, attempt, { state, reason }, nowMs);
    await saveAutoRecharge(tx, changed, changed.nextAttemptMs ?? nowMs);
    return { isSwitchedOff: !changed.isEnabled };
  });
  if (ended === undefined) return;
  deps.events.autoRecharged(attempt, outcome);
  if (ended.isSwitchedOff) deps.events.autoRechargeSwitchedOff(attempt.accountId, reason);
}

async function outcomeOf(
  deps: PaymentDeps,
  attempt: RechargeAttempt,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  const { accountId, amount, currencyCode, paymentMethodId } = attempt;
  const request = {
    requestId: `auto:${attempt.id}`,
    accountId,
    amount: { amountNanos: amount, currencyCode },
    paymentMethodId: formatId("pmt", Buffer.from(paymentMethodId, "hex")),
  };
  try {
    const { order } = await deps.billing.recharge(request, { signal });
    const payment = await readPayment(deps.pool, { orderId: order?.paymentOrderId ?? "" });
    return outcomeOfPayment(payment, order?.state === RechargeState.PENDING);
  } catch (error) {
    if (isRefusal(error)) return { state: "FAILED", reason: error.reason };
    deps.events.autoRechargePutOff(accountId, error);
    return { state: "OPEN", reason: "" };
  }
}
