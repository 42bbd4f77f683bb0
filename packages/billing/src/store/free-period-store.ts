import type { RowDataPacket } from "mysql2/promise";
import { type FreeQuotaRule, freeUnits, quotaPeriods } from "../domain/free-quota.ts";
import type { UnitPeriod } from "../domain/free-units.ts";
import { inChunks } from "./in-chunks.ts";
import type { Statements } from "./in-one-trip.ts";
import { insertRows } from "./insert-rows.ts";
import { oneOf } from "./mapping.ts";
import { quoteText, quoteTime, quoteTimeOrNull, readTime, timeText } from "./sql-text.ts";
import { updateRows } from "./update-rows.ts";

/** Names an account's free units of one service in one period. */
export type PeriodName = {
  readonly accountId: string;
  readonly service: string;
  readonly startMs: number;
};

/** The free quota rules of services; those that have none are left out. */
export async function readFreeQuotaRules(
  db: Statements,
  services: readonly string[],
): Promise<Map<string, FreeQuotaRule>> {
  if (services.length === 0) return new Map();
  const [rows] = await db.query<RuleRow[]>(
    `SELECT service, period, free_unit, amount FROM free_quota_rule WHERE service IN (${services.map(quoteText).join(",")})`,
  );
  return new Map(
    rows.map((row) => [
      row.service,
      {
        service: row.service,
        period: oneOf(quotaPeriods, row.period),
        unit: oneOf(freeUnits, row.free_unit),
        amount: row.amount,
      },
    ]),
  );
}

/** Makes the rows of periods that nobody has used yet, sorted; rows that are there stay as they are. */
export async function createPeriods(tx: Statements, periods: readonly UnitPeriod[]): Promise<void> {
  await insertRows(tx, freshColumns, inOrder(periods));
}

/** Locks and reads free-unit periods, in the order of their keys. Those that do not exist are left out. */
export async function lockPeriods(
  tx: Statements,
  names: readonly PeriodName[],
): Promise<UnitPeriod[]> {
  const found: UnitPeriod[] = [];
  for (const chunk of inChunks(inOrder(names))) {
    const keys = chunk.map(
      (name) =>
        `(${quoteText(name.accountId)},${quoteText(name.service)},${quoteTime(name.startMs)})`,
    );
    const [rows] = await tx.query<PeriodRow[]>(
      `SELECT account_id, service, CAST(period_start AS CHAR) AS period_start, CAST(period_end AS CHAR) AS period_end,
         free_unit, units_granted, units_available, units_held, units_used, units_written_off
       FROM free_quota_period FORCE INDEX (PRIMARY) WHERE (account_id, service, period_start) IN (${keys.join(",")})
       ORDER BY account_id, service, period_start FOR UPDATE`,
    );
    found.push(...rows.map(toPeriod));
  }
  return found;
}

/** Writes what changed of locked periods, as differences. */
export async function movePeriods(
  tx: Statements,
  changes: readonly { readonly before: UnitPeriod; readonly after: UnitPeriod }[],
): Promise<void> {
  await updateRows(
    tx,
    periodShape,
    changes.map(({ before, after }) => ({
      keys: [before.accountId, before.service, timeText(before.startMs)],
      adds: [
        after.available - before.available,
        after.held - before.held,
        after.used - before.used,
        after.writtenOff - before.writtenOff,
      ],
    })),
  );
}

const periodShape = {
  table: "free_quota_period",
  keys: [
    { name: "account_id", kind: "text" },
    { name: "service", kind: "text" },
    { name: "period_start", kind: "time" },
  ],
  adds: ["units_available", "units_held", "units_used", "units_written_off"],
} as const;

const freshColumns = {
  table: "free_quota_period",
  columns: [
    { name: "account_id", literal: (row: UnitPeriod) => quoteText(row.accountId) },
    { name: "service", literal: (row: UnitPeriod) => quoteText(row.service) },
    { name: "period_start", literal: (row: UnitPeriod) => quoteTime(row.startMs) },
    { name: "period_end", literal: (row: UnitPeriod) => quoteTimeOrNull(row.endMs) },
    { name: "free_unit", literal: (row: UnitPeriod) => quoteText(row.unit) },
    { name: "units_granted", literal: (row: UnitPeriod) => String(row.granted) },
    { name: "units_available", literal: (row: UnitPeriod) => String(row.available) },
  ],
  tail: () => "ON DUPLICATE KEY UPDATE account_id = account_id",
} as const;

function inOrder<N extends PeriodName>(names: readonly N[]): N[] {
  return [...names].sort(
    (a, b) =>
      compare(a.accountId, b.accountId) || compare(a.service, b.service) || a.startMs - b.startMs,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type RuleRow = RowDataPacket & {
  readonly service: string;
  readonly period: string;
  readonly free_unit: string;
  readonly amount: bigint;
};

type PeriodRow = RowDataPacket & {
  readonly account_id: string;
  readonly service: string;
  readonly period_start: string;
  readonly period_end: string | null;
  readonly free_unit: string;
  readonly units_granted: bigint;
  readonly units_available: bigint;
  readonly units_held: bigint;
  readonly units_used: bigint;
  readonly units_written_off: bigint;
};

function toPeriod(row: PeriodRow): UnitPeriod {
  return {
    accountId: row.account_id,
    service: row.service,
    startMs: readTime(row.period_start),
    endMs: row.period_end === null ? undefined : readTime(row.period_end),
    unit: oneOf(freeUnits, row.free_unit),
    granted: row.units_granted,
    available: row.units_available,
    held: row.units_held,
    used: row.units_used,
    writtenOff: row.units_written_off,
  };
}
