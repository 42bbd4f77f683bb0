import type { Clock } from "@farebox/kit/clock";
import type { Pool, PoolConnection } from "@farebox/kit/mysql";
import { type Drift, judgeAccount } from "../domain/account-laws.ts";
import { oldestKeptDayMs } from "../domain/usage-day.ts";
import { readAccountSums } from "../store/account-sums-store.ts";
import { readRowDrifts } from "../store/row-laws-store.ts";
import { withinDeadline } from "./within-deadline.ts";

export type ReconcileAccountsDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly retentionDays: number;
};

export type ReconcileAccountsInput = {
  /** A page: a few hundred at most. */
  readonly accountIds: readonly string[];
  /** Also proves every single transaction and ledger entry; takes seconds for accounts with millions of them. */
  readonly isDeep: boolean;
};

export type Reconciled = {
  readonly drifts: readonly Drift[];
  /** Whether every account that drifts is named; false when there were more drifts of one law than are listed. */
  readonly isWhole: boolean;
  /** How many attempts each account was ever charged for: what a deep look would have to read. */
  readonly attemptsByAccount: ReadonlyMap<string, bigint>;
};

/** The table was altered after the snapshot was taken: a day was added or dropped meanwhile. */
const tableChangedErrno = 1412;
const triesMax = 3;
/** A page of busy accounts takes seconds; a snapshot kept for longer would burden the database. */
const snapshotMsMax = 120_000;

/**
 * Proves that the money of some accounts adds up: each page in one consistent snapshot, which neither waits for the
 * running system nor holds it up, and sees each settlement either whole or not at all. So any difference is a real one.
 */
export async function reconcileAccounts(
  deps: ReconcileAccountsDeps,
  input: ReconcileAccountsInput,
): Promise<Reconciled> {
  if (input.accountIds.length === 0)
    return { drifts: [], isWhole: true, attemptsByAccount: new Map() };
  const keptFromMs = oldestKeptDayMs(deps.clock.nowMs(), deps.retentionDays);
  for (let tries = 1; ; tries += 1) {
    try {
      return await inSnapshot(deps.pool, async (tx) => {
        const sums = await readAccountSums(tx, input.accountIds, input.isDeep);
        const ofRows = await readRowDrifts(tx, { ...input, keptFromMs });
        return {
          drifts: [...sums.flatMap(judgeAccount), ...ofRows.drifts],
          isWhole: ofRows.isWhole,
          attemptsByAccount: new Map(
            sums.map(({ accountId, hourly }) => [accountId, hourly.attempts]),
          ),
        };
      });
    } catch (error) {
      if (!isTableChanged(error) || tries >= triesMax) throw error;
    }
  }
}

/** Reads in one REPEATABLE READ snapshot, taken at once. */
async function inSnapshot<T>(pool: Pool, read: (tx: PoolConnection) => Promise<T>): Promise<T> {
  const tx = await pool.getConnection();
  try {
    const result = await withinDeadline(readAll(tx, read), snapshotMsMax);
    tx.release();
    return result;
  } catch (error) {
    // Closed rather than rolled back: it has read only, and may be the connection that failed.
    tx.destroy();
    throw error;
  }
}

async function readAll<T>(
  tx: PoolConnection,
  read: (tx: PoolConnection) => Promise<T>,
): Promise<T> {
  await tx.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
  await tx.query("START TRANSACTION WITH CONSISTENT SNAPSHOT");
  const result = await read(tx);
  await tx.query("COMMIT");
  return result;
}

function isTableChanged(error: unknown): boolean {
  return error instanceof Error && "errno" in error && error.errno === tableChangedErrno;
}
