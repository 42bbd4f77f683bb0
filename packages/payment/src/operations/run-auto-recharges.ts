import { AppError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import type { Nanos } from "@farebox/kit/money";
import { inTransaction } from "@farebox/kit/mysql";
import {
  type AutoRecharge,
  afterFailure,
  decideRecharge,
  type RechargeAttempt,
} from "../domain/auto-recharge.ts";
import {
  claimDueSettings,
  lockClaimed,
  releaseSettings,
  saveAutoRecharge,
} from "../store/auto-recharge-store.ts";
import { claimDue, readDue } from "../store/claim-due.ts";
import { insertAttempt, readAttempt, readRecentAttempts } from "../store/recharge-attempt-store.ts";
import { advanceAttempt } from "./advance-attempt.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { type MethodReader, requireMethod } from "./read-methods.ts";

/** As many balances as Billing answers at a time. */
const batchMax = 500;
const atOnceMax = 8;
const table = "auto_recharge_attempt";
/** Longer than Billing may take to answer; a process that died is waited for no longer than this. */
const claimMs = 20_000;

/**
 * Pays in for accounts whose balance is below their threshold, and goes on with attempts that were not known to have ended.
 * Bounded a run, and safe in any number of processes: whoever claims an account reads its balance after the claim, and
 * begins only while the claim is its own and not over, so that one fall of the balance is one attempt.
 */
export async function runAutoRecharges(
  deps: PaymentDeps,
  periodMs: number,
  signal: AbortSignal,
): Promise<void> {
  await goOnWithAttempts(deps, signal);
  if (!signal.aborted) await lookAtBalances(deps, periodMs, signal);
}

async function goOnWithAttempts(deps: PaymentDeps, signal: AbortSignal): Promise<void> {
  const { pool, clock, events } = deps;
  const due = await readDue(pool, table, { nowMs: clock.nowMs(), limit: batchMax });
  await inTurns(due, signal, async (id) => {
    try {
      const nowMs = clock.nowMs();
      if (!(await claimDue(pool, table, { id, nowMs, untilMs: nowMs + claimMs }))) return;
      const attempt = await readAttempt(pool, id);
      if (attempt !== undefined) await advanceAttempt(deps, attempt, signal);
    } catch (error) {
      events.dutyPutOff(table, error);
    }
  });
}

async function lookAtBalances(
  deps: PaymentDeps,
  periodMs: number,
  signal: AbortSignal,
): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const claim = { nowMs, untilMs: nowMs + claimMs, limit: batchMax };
  const settings = await claimDueSettings(deps.pool, claim);
  if (settings.length === 0) return;
  const release = { claimedUntilMs: claim.untilMs, checkMs: nowMs + periodMs };
  const balances = await readBalances(deps, settings, signal).catch(async (error: unknown) => {
    const all = settings.map(({ accountId }) => accountId);
    await releaseSettings(deps.pool, all, release);
    throw error;
  });
  const isLow = ({ accountId, threshold }: AutoRecharge) => {
    const balance = balances.get(accountId);
    return balance !== undefined && balance < threshold;
  };
  const fine = settings.filter((it) => !isLow(it)).map(({ accountId }) => accountId);
  await releaseSettings(deps.pool, fine, release);
  await inTurns(settings.filter(isLow), signal, async ({ accountId }) => {
    try {
      const begun = await beginAttempt(deps, accountId, { ...release, periodMs });
      if (begun === "NO_METHOD") deps.events.autoRechargeSwitchedOff(accountId, noMethod);
      else if (begun !== "WAIT") await advanceAttempt(deps, begun, signal);
    } catch (error) {
      deps.events.autoRechargePutOff(accountId, error);
    }
  });
}

/** A few at a time: each may take as long as the provider does. */
async function inTurns<T>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < items.length && !signal.aborted; from += atOnceMax) {
    await Promise.all(items.slice(from, from + atOnceMax).map(work));
  }
}

/** What each account could spend now, less what it owes. */
async function readBalances(
  { billing }: PaymentDeps,
  settings: readonly AutoRecharge[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Nanos>> {
  const accountIds = settings.map(({ accountId }) => accountId);
  const { balances } = await billing.batchCheckBalance({ accountIds }, { signal });
  return new Map(
    balances.map(({ accountId, balance }) => {
      const { available, receivable } = balance ?? {};
      return [accountId, (available?.amountNanos ?? 0n) - (receivable?.amountNanos ?? 0n)];
    }),
  );
}

const noMethod = "PAYMENT_METHOD_NOT_FOUND";

/**
 * Keeps an attempt before anything is asked for. WAIT when it is not the time, or somebody else is or may be at it; NO_METHOD when there
 * is nothing to charge, and it was switched off.
 */
async function beginAttempt(
  deps: PaymentDeps,
  accountId: string,
  of: { readonly claimedUntilMs: number; readonly periodMs: number },
): Promise<RechargeAttempt | "WAIT" | "NO_METHOD"> {
  return inTransaction(deps.pool, async (tx) => {
    const setting = await lockClaimed(tx, accountId, of.claimedUntilMs);
    const nowMs = deps.clock.nowMs();
    // A claim that is over says nothing: the balance may have been read long ago.
    if (setting === undefined || nowMs >= of.claimedUntilMs) return "WAIT";
    const recent = await readRecentAttempts(tx, accountId, nowMs);
    const decision = decideRecharge(setting, recent, { nowMs, periodMs: of.periodMs });
    if (decision.kind === "WAIT") {
      await saveAutoRecharge(tx, setting, decision.untilMs);
      return "WAIT";
    }
    const paymentMethodId = await methodOf({ ...deps, pool: tx }, setting);
    if (paymentMethodId === undefined) {
      await saveAutoRecharge(tx, afterFailure(setting, noMethod, nowMs), nowMs);
      return "NO_METHOD";
    }
    const { currencyCode, amount } = setting;
    const attempt: RechargeAttempt = {
      id: newUuid().toString("hex"),
      ...{ accountId, currencyCode, amount, paymentMethodId },
      ...{ state: "OPEN", attempts: 0, createTimeMs: nowMs },
    };
    await insertAttempt(tx, attempt, nowMs + claimMs);
    await saveAutoRecharge(tx, setting, nowMs + of.periodMs);
    return attempt;
  });
}

async function methodOf(
  deps: MethodReader,
  { accountId, paymentMethodId }: AutoRecharge,
): Promise<string | undefined> {
  try {
    return (await requireMethod(deps, { accountId, id: paymentMethodId })).id;
  } catch (error) {
    if (error instanceof AppError && error.reason === noMethod) return undefined;
    throw error;
  }
}
