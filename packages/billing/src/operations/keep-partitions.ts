import type { Clock } from "@farebox/kit/clock";
import type { Pool, PoolConnection } from "@farebox/kit/mysql";
import { planPartitions } from "../domain/partition-plan.ts";
import type { PartitionEvents } from "../partition-events.ts";
import {
  addPartitions,
  becomePartitioner,
  countOverflow,
  dropPartition,
  readOverflowDay,
  readPartitionDays,
  releasePartitioner,
} from "../store/partition-store.ts";
import { withinDeadline } from "./within-deadline.ts";

export type KeepPartitionsDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly events: PartitionEvents;
  /** Days that transactions are kept; 0 keeps them for ever. */
  readonly retentionDays: number;
};

export type KeepPartitionsInput = {
  /** Before serving, waits for another process that is at it, and splits `pmax` however many rows it holds. */
  readonly isServing: boolean;
};

/** Rows that are moved while settlement waits; about a second's work. */
const movedRowsMax = 50_000;
/** Settlement waits behind a change that waits, so a change waits no longer than this. */
const lockSecondsMax = 1;
const lockTriesMax = 5;
const retryMs = 2_000;
/** Copying many rows out of `pmax` before serving is the longest that a run does. */
const runMsMax = 600_000;

/**
 * Keeps a partition of `usage_transaction` for today and the days to come, and drops those that are older than what is
 * kept. One process does it at a time; the others do nothing. A change that cannot get the table within a second gives
 * way to settlement and is tried again, a few times now and then at the next run. Running it again changes nothing.
 */
export async function keepPartitions(
  deps: KeepPartitionsDeps,
  input: KeepPartitionsInput,
): Promise<void> {
  const db = await deps.pool.getConnection();
  try {
    const waitSeconds = input.isServing ? 0 : 30;
    if (await becomePartitioner(db, waitSeconds, lockSecondsMax)) {
      await withinDeadline(keep(deps, input, db), runMsMax);
      // The end of a connection is noticed later than this answers: the next run would find the lock taken.
      await releasePartitioner(db);
    }
  } finally {
    // Closed rather than returned: the session's settings, and the lock of a run that failed, end with it.
    db.destroy();
  }
}

async function keep(
  deps: KeepPartitionsDeps,
  input: KeepPartitionsInput,
  db: PoolConnection,
): Promise<void> {
  const overflowRows = await countOverflow(db, movedRowsMax + 1);
  const canSplit = overflowRows <= movedRowsMax || !input.isServing;
  const { addDaysMs, dropDaysMs } = planPartitions({
    existingDaysMs: await readPartitionDays(db),
    overflowDayMs: overflowRows === 0 ? undefined : await readOverflowDay(db),
    nowMs: deps.clock.nowMs(),
    retentionDays: deps.retentionDays,
  });
  if (addDaysMs.length > 0 && canSplit) {
    await givingWay(deps, () => addPartitions(db, addDaysMs));
    deps.events.partitionsAdded(addDaysMs);
  }
  for (const day of dropDaysMs) {
    await givingWay(deps, () => dropPartition(db, day));
    deps.events.partitionDropped(day);
  }
  deps.events.overflowCounted(await countOverflow(db, movedRowsMax + 1));
}

async function givingWay(deps: KeepPartitionsDeps, change: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await change();
    } catch (error) {
      if (!isLockTimeout(error) || tries >= lockTriesMax) throw error;
      await deps.clock.sleep(retryMs);
    }
  }
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && "errno" in error && error.errno === 1205;
}
