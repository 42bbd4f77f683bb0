import { dayMs, dayStartMs, oldestKeptDayMs } from "./usage-day.ts";

/** Partitions of `usage_transaction`: one a day of UTC by the time in the id, and `pmax` for all that comes after. */
export type PartitionPlan = {
  /** Days to cut out of the front of `pmax`, oldest first, by their midnight. Ids of earlier days fall into the first. */
  readonly addDaysMs: readonly number[];
  /** Days to drop, oldest first. */
  readonly dropDaysMs: readonly number[];
};

/**
 * Decides which days to add and to drop. Days are added only behind the newest that exists; days that were missed and
 * hold no rows fall into the range of the next. The last day is never dropped, and few are dropped at once, so that a
 * clock that is wrong by a year is noticed before it has cost much.
 */
export function planPartitions(input: PartitionPlanInput): PartitionPlan {
  const today = dayStartMs(input.nowMs);
  const dropBefore = oldestKeptDayMs(input.nowMs, input.retentionDays) - dayMs;
  const oldestAdded = Math.max(dropBefore, today - backfillDaysMax * dayMs);
  const wanted = Math.max(Math.min(today, input.overflowDayMs ?? today), oldestAdded);
  const newest = input.existingDaysMs.at(-1);
  const addDaysMs: number[] = [];
  const first = newest === undefined ? wanted : Math.max(wanted, newest + dayMs);
  for (let day = first; day <= today + daysAhead * dayMs; day += dayMs) addDaysMs.push(day);
  const old = input.existingDaysMs.slice(0, -1).filter((day) => day < dropBefore);
  return { addDaysMs, dropDaysMs: old.slice(0, dropsMax) };
}

export type PartitionPlanInput = {
  /** Oldest first. */
  readonly existingDaysMs: readonly number[];
  /** The day of the oldest row in `pmax`, so that rows which landed there get days of their own; undefined when empty. */
  readonly overflowDayMs: number | undefined;
  readonly nowMs: number;
  /** 0 keeps everything. */
  readonly retentionDays: number;
};

/** How many days beyond today have a partition, so that a job that fails for a while harms nothing. */
const daysAhead = 3;
/** How far back days are made for rows found in `pmax`; older rows share the first. */
const backfillDaysMax = 400;
const dropsMax = 2;
