import { minNanos } from "@farebox/kit/money";
import type { Drift } from "../domain/account-laws.ts";
import type { ReconcileEvents } from "../reconcile-events.ts";
import { readAccountPage, readMovedAccounts } from "../store/account-pages.ts";
import { recordProofs } from "../store/account-proof-store.ts";
import { type ReconcileAccountsDeps, reconcileAccounts } from "./reconcile-accounts.ts";

export type KeepReconciledDeps = ReconcileAccountsDeps & { readonly events: ReconcileEvents };

/** Accounts with recent moves that one run looks at; a system with more is covered by the passes over all. */
const movedMax = 5_000;
const pageSize = 250;
/** Attempts that may be read per run, on average: about a second of one core. */
const attemptsPerRun = 500_000n;
/** What an account costs beside its attempts, in the same measure. */
const attemptsPerAccount = 200n;
/** How many accounts with drift are remembered, so that the gauge falls only when they are well again. */
const driftingMax = 10_000;
/** How many of them are looked at again by one run. */
const recheckedMax = 100;
/** How far back a run looks for moves beyond the one before it: later than any transaction can still commit. */
const overlapMs = 3_600_000;

/**
 * Makes the job that keeps proving that the money adds up. Each run looks at the accounts that moved, and at those that
 * did not add up before; and goes on with a deep pass over all accounts, as far as its budget of attempts reaches. An
 * account larger than the budget is read whole, and the pass pauses until it is worked off. What a deep look proves is
 * recorded: leases are only forgotten after it.
 */
export function createKeepReconciled(
  deps: KeepReconciledDeps,
): (signal: AbortSignal) => Promise<void> {
  const drifting = new Map<string, Drifting>();
  const pass = { after: "", budget: 0n };
  let sinceMs = deps.clock.nowMs();
  const look = async (accountIds: readonly string[], isDeep: boolean) => {
    const provedTime = new Date(deps.clock.nowMs());
    const found = await reconcileAccounts(deps, { accountIds, isDeep });
    const { drifts, isWhole, attemptsByAccount } = found;
    if (drifts.length > 0) deps.events.driftsFound(drifts);
    note(drifting, { accountIds, drifts, isDeep });
    if (isDeep && isWhole) {
      const sound = accountIds.filter((id) => drifts.every(({ accountId }) => accountId !== id));
      await recordProofs(deps.pool, sound, provedTime);
    }
    return attemptsByAccount;
  };
  return async (signal) => {
    const startMs = deps.clock.nowMs();
    await look([...drifting.keys()].slice(0, recheckedMax), true);
    const since = new Date(Math.min(sinceMs, startMs) - overlapMs);
    const moved = await readMovedAccounts(deps.pool, since, movedMax);
    for (let start = 0; start < moved.length; start += pageSize) {
      signal.throwIfAborted();
      await look(moved.slice(start, start + pageSize), false);
    }
    sinceMs = startMs;
    pass.budget = minNanos(pass.budget + attemptsPerRun, attemptsPerRun);
    await continuePass(deps, { pass, look, signal });
    let driftsCount = 0;
    for (const { count } of drifting.values()) driftsCount += count;
    deps.events.reconciled(driftsCount);
  };
}

/** An account that did not add up, and whether it took a deep look to see it. */
type Drifting = { readonly count: number; readonly isDeep: boolean };

type Pass = { after: string; budget: bigint };

/** Deepens page by page; ends with the budget, or with the last account, after which the next run begins anew. */
async function continuePass(
  deps: KeepReconciledDeps,
  input: {
    readonly pass: Pass;
    readonly look: (
      ids: readonly string[],
      isDeep: boolean,
    ) => Promise<ReadonlyMap<string, bigint>>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { pass, look, signal } = input;
  while (pass.budget > 0n) {
    signal.throwIfAborted();
    const page = await readAccountPage(deps.pool, pass.after, pageSize);
    if (page.length === 0) {
      pass.after = "";
      deps.events.passEnded();
      return;
    }
    const attempts = await look(page, false);
    const affordable: string[] = [];
    for (const accountId of page) {
      if (pass.budget <= 0n) break;
      affordable.push(accountId);
      pass.budget -= (attempts.get(accountId) ?? 0n) + attemptsPerAccount;
    }
    await look(affordable, true);
    pass.after = affordable.at(-1) ?? pass.after;
  }
}

function note(
  drifting: Map<string, Drifting>,
  seen: {
    readonly accountIds: readonly string[];
    readonly drifts: readonly Drift[];
    readonly isDeep: boolean;
  },
): void {
  const counts = new Map<string, number>();
  for (const { accountId } of seen.drifts) counts.set(accountId, (counts.get(accountId) ?? 0) + 1);
  for (const accountId of seen.accountIds) {
    if (!seen.isDeep && drifting.get(accountId)?.isDeep === true) continue;
    drifting.delete(accountId);
    const count = counts.get(accountId) ?? 0;
    if (count > 0 && drifting.size < driftingMax)
      drifting.set(accountId, { count, isDeep: seen.isDeep });
  }
}
