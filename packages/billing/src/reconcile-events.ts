import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";
import type { Drift } from "./domain/account-laws.ts";

/** What reconciliation finds. */
export type ReconcileEvents = {
  /** Places that must agree and do not. An alarm. */
  driftsFound(drifts: readonly Drift[]): void;
  /** A run ended; so many differences are known and not mended. */
  reconciled(driftsCount: number): void;
  /** So many dead letters wait for an operator. An alarm unless zero. */
  deadLettersCounted(count: number): void;
  /** Every account has been proved to the last transaction. */
  passEnded(): void;
};

const loggedMax = 20;

/** Makes the events of one process. */
export function createReconcileEvents(deps: {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly nowMs: () => number;
}): ReconcileEvents {
  const { log, metrics, nowMs } = deps;
  const drift = metrics.gauge({
    name: "reconcile_drift",
    help: "Differences between transactions, leases, ledger and balances; 0 is good",
  });
  const deadLetters = metrics.gauge({
    name: "dead_letters_waiting",
    help: "Usage items that wait for an operator to replay or void them; 0 is good",
  });
  const lastRun = metrics.gauge({
    name: "reconcile_last_run_timestamp_seconds",
    help: "When accounts with recent moves were last proved",
  });
  const lastPass = metrics.gauge({
    name: "reconcile_last_pass_timestamp_seconds",
    help: "When a deep pass over all accounts last ended",
  });
  return {
    driftsFound: (drifts) => {
      for (const { accountId, law, expected, actual, subject } of drifts.slice(0, loggedMax)) {
        const figures = { expected: String(expected), actual: String(actual) };
        log.error({ event: "reconcile.drift", accountId, law, subject, ...figures });
      }
    },
    reconciled: (driftsCount) => {
      drift.set(driftsCount);
      lastRun.set(nowMs() / 1000);
    },
    deadLettersCounted: (count) => deadLetters.set(count),
    passEnded: () => lastPass.set(nowMs() / 1000),
  };
}
