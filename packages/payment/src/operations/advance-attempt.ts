import { formatId } from "@farebox/kit/ids";
import { inTransaction, type PoolConnection } from "@farebox/kit/mysql";
import { RechargeState } from "@farebox/proto/farebox/billing/v1/recharge";
import {
  type AttemptState,
  type AutoRecharge,
  afterFailure,
  afterSuccess,
  type RechargeAttempt,
} from "../domain/auto-recharge.ts";
import { retryDelayMs } from "../domain/payment.ts";
import { lockAutoRecharge, saveAutoRecharge } from "../store/auto-recharge-store.ts";
import { readPayment } from "../store/payment-store.ts";
import { endAttempt, postponeAttempt } from "../store/recharge-attempt-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { isRefusal } from "./tell-billing.ts";

type Outcome = {
  readonly state: AttemptState;
  /** Why it failed; empty when it did not. */
  readonly reason: string;
};

const open: Outcome = { state: "OPEN", reason: "" };

/**
 * Does the next thing for an attempt: asks Billing for the recharge, under a request id made of the attempt's, and looks at
 * how its payment stands. It ends as PAID once the money is credited, so that the balance is not found low again, and as
 * FAILED once it is known that nothing was collected. Any number of times.
 */
export async function advanceAttempt(deps: PaymentDeps, attempt: RechargeAttempt): Promise<void> {
  const outcome = await outcomeOf(deps, attempt);
  if (outcome.state === "OPEN") {
    const dueMs = deps.clock.nowMs() + retryDelayMs(attempt.attempts);
    await postponeAttempt(deps.pool, attempt, dueMs);
    return;
  }
  const { state, reason } = outcome;
  const nowMs = deps.clock.nowMs();
  const { isEnded, setting } = await inTransaction(deps.pool, async (tx) => {
    const before = await lockAutoRecharge(tx, attempt.accountId);
    const isFirst = await endAttempt(tx, attempt, { state, reason });
    if (!isFirst || !before?.isEnabled) return { isEnded: isFirst, setting: undefined };
    const failed = state === "FAILED";
    if (!failed) await saveAutoRecharge(tx, afterSuccess(before), nowMs);
    return {
      isEnded: true,
      setting: failed ? await failSetting(tx, before, reason, nowMs) : before,
    };
  });
  if (isEnded) deps.events.autoRecharged(attempt, { state, reason });
  if (setting?.isEnabled === false) deps.events.autoRechargeSwitchedOff(attempt.accountId, reason);
}

/** Notes a failure, and switches off what cannot go on. Answers the setting as it then is. */
export async function failSetting(
  tx: PoolConnection,
  setting: AutoRecharge,
  reason: string,
  nowMs: number,
): Promise<AutoRecharge> {
  const failed = afterFailure(setting, reason, nowMs);
  await saveAutoRecharge(tx, failed, failed.nextAttemptMs ?? nowMs);
  return failed;
}

async function outcomeOf(deps: PaymentDeps, attempt: RechargeAttempt): Promise<Outcome> {
  const { accountId, amount, currencyCode, paymentMethodId } = attempt;
  try {
    const { order } = await deps.billing.recharge({
      requestId: `auto:${attempt.id}`,
      accountId,
      amount: { amountNanos: amount, currencyCode },
      paymentMethodId: formatId("pmt", Buffer.from(paymentMethodId, "hex")),
    });
    const payment = await readPayment(deps.pool, { orderId: order?.paymentOrderId ?? "" });
    switch (payment?.state) {
      case "PAID":
        return payment.isTold ? { state: "PAID", reason: "" } : open;
      case "PARKED":
        return { state: "FAILED", reason: "payment_parked" };
      case "FAILED":
      case "EXPIRED":
        return { state: "FAILED", reason: payment.declineCode || payment.state.toLowerCase() };
      case undefined:
        // An order that ended before Payment was asked for it.
        return order?.state === RechargeState.PENDING
          ? open
          : { state: "FAILED", reason: "order_ended" };
      default:
        return open;
    }
  } catch (error) {
    if (isRefusal(error)) return { state: "FAILED", reason: error.reason };
    deps.events.autoRechargePutOff(accountId, error);
    return open;
  }
}
