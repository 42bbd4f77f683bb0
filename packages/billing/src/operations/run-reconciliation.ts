import type { Drift } from "../domain/account-laws.ts";
import { readAccountPage } from "../store/account-pages.ts";
import { type ReconcileAccountsDeps, reconcileAccounts } from "./reconcile-accounts.ts";

export type RunReconciliationInput = {
  /** One account; empty for all. */
  readonly accountId: string;
  readonly signal: AbortSignal;
};

export type ReconciliationReport = {
  readonly accountsCount: number;
  /** The first of them. */
  readonly drifts: readonly Drift[];
  readonly driftsCount: number;
};

/** How many drifts an answer names; it counts all that were found. */
const namedMax = 1_000;
const pageSize = 200;

/**
 * Proves everything now, for one account or for all: every transaction, lease and ledger entry that is kept. Slow on
 * purpose for a large installation; between two pages it stops when the signal says so. Changes nothing.
 */
export async function runReconciliation(
  deps: ReconcileAccountsDeps,
  input: RunReconciliationInput,
): Promise<ReconciliationReport> {
  const drifts: Drift[] = [];
  let accountsCount = 0;
  let driftsCount = 0;
  for await (const accountIds of pages(deps, input)) {
    const page = await reconcileAccounts(deps, { accountIds, isDeep: true });
    accountsCount += page.attemptsByAccount.size;
    driftsCount += page.drifts.length;
    drifts.push(...page.drifts.slice(0, namedMax - drifts.length));
  }
  return { accountsCount, drifts, driftsCount };
}

async function* pages(
  deps: ReconcileAccountsDeps,
  { accountId, signal }: RunReconciliationInput,
): AsyncGenerator<readonly string[]> {
  if (accountId !== "") {
    yield [accountId];
    return;
  }
  for (let after = ""; ; ) {
    signal.throwIfAborted();
    const page = await readAccountPage(deps.pool, after, pageSize);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    after = last;
  }
}
