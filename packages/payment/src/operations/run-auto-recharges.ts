import { AppError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import type { Nanos } from "@farebox/kit/money";
import { inTransaction } from "@farebox/kit/mysql";
import {
  type AutoRecharge,
  decideRecharge,
  type RechargeAttempt,
} from "../domain/auto-recharge.ts";
import {
  claimDueSettings,
  lockClaimed,
  releaseSettings,
  saveAutoRecharge,
} from "../store/auto-recharge-store.ts";
import {
  claimDueAttempts,
  insertAttempt,
  readRecentAttempts,
} from "../store/recharge-attempt-store.ts";
import { advanceAttempt, failSetting } from "./advance-attempt.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { type MethodReader, requireMethod } from "./read-methods.ts";

/** As many balances as Billing answers at a time. */
const batchMax = 500;
const atOnceMax = 8;
/** Longer than Billing may take to answer; a process that died is waited for no longer than this. */
const claimMs = 20_000;

/**
 * Pays in for accounts whose balance is below their threshold, and goes on with attempts that were not known to have ended.
 * Bounded a run, and safe in any number of processes: whoever claims an account reads its balance after the claim, and
 * begins only while the claim is its own, so that one fall of the balance is one attempt.
 */
export async function runAutoRecharges(
  deps: PaymentDeps,
  periodMs: number,
  signal: AbortSignal,
): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const claim = { nowMs, untilMs: nowMs + claimMs, limit: batchMax };
  await inTurns(await claimDueAttempts(deps.pool, claim), signal, (attempt) =>
    advanceAttempt(deps, attempt),
  );
  const settings = await claimDueSettings(deps.pool, claim);
  if (settings.length === 0 || signal.aborted) return;
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
    const begun = await beginAttempt(deps, accountId, { ...release, periodMs });
    if (begun === "NO_METHOD") deps.events.autoRechargeSwitchedOff(accountId, noMethod);
    else if (begun !== "WAIT") await advanceAttempt(deps, begun);
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
 * Keeps an attempt before anything is asked for. WAIT when it is not the time, or somebody else is at it; NO_METHOD when there
 * is nothing to charge, and it was switched off.
 */
async function beginAttempt(
  deps: PaymentDeps,
  accountId: string,
  of: { readonly claimedUntilMs: number; readonly periodMs: number },
): Promise<RechargeAttempt | "WAIT" | "NO_METHOD"> {
  const nowMs = deps.clock.nowMs();
  return inTransaction(deps.pool, async (tx) => {
    const setting = await lockClaimed(tx, accountId, of.claimedUntilMs);
    if (setting === undefined) return "WAIT";
    const recent = await readRecentAttempts(tx, accountId, nowMs);
    const decision = decideRecharge(setting, recent, { nowMs, periodMs: of.periodMs });
    if (decision.kind === "WAIT") {
      await saveAutoRecharge(tx, setting, decision.untilMs);
      return "WAIT";
    }
    const paymentMethodId = await methodOf({ ...deps, pool: tx }, setting);
    if (paymentMethodId === undefined) {
      await failSetting(tx, setting, noMethod, nowMs);
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
