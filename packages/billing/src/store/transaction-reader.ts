import type { Pool } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";
import type { Transaction } from "../domain/transaction.ts";
import { uuidFloorHex } from "../domain/usage-day.ts";
import { type TransactionRow, toTransaction, transactionColumns } from "./transaction-columns.ts";
import { conditionsOf, type TransactionFilter } from "./transaction-filter.ts";

/** How far the time in an id may be from when the attempt began. */
const idSkewMs = 3_600_000;
const hourMs = 3_600_000;
/** How many hours with usage one page walks through at most before it is answered as it is. */
const hoursPerPageMax = 200;

/**
 * Transactions of one account before an id, newest first: a scan of the primary key, of as many partitions as the times
 * allow. Rows of days whose partition is gone are merged in.
 */
export async function listAccountTransactions(
  pool: Pool,
  filter: TransactionFilter,
  page: { readonly beforeHex: string; readonly limit: number },
): Promise<readonly Transaction[]> {
  const range = idRange(filter, page.beforeHex);
  return await readBoth(pool, "t.account_id = ?", [filter.accountId], filter, range, page.limit);
}

/** A page over all accounts. `reachedHex` is where the walk stopped; undefined when there is nothing older. */
export type WalkedPage = {
  readonly rows: readonly Transaction[];
  readonly reachedHex: string | undefined;
};

/**
 * Transactions of all accounts before an id, newest first. There is no index over accounts, and a hot table should not pay
 * for one: the hourly sums say which accounts were active in which hour, so that each hour is a few scans of primary keys.
 */
export async function walkTransactions(
  pool: Pool,
  filter: TransactionFilter,
  page: { readonly beforeHex: string; readonly limit: number },
): Promise<WalkedPage> {
  const { fromHex, beforeHex } = idRange(filter, page.beforeHex);
  const rows: Transaction[] = [];
  let before = beforeHex;
  for (let walked = 0; walked < hoursPerPageMax && before > fromHex; walked += 1) {
    const hourAt = await lastActiveHour(pool, filter, before);
    if (hourAt === undefined) return { rows, reachedHex: undefined };
    const from = laterOf(uuidFloorHex(hourAt - idSkewMs), fromHex);
    const accounts = `t.account_id IN (SELECT DISTINCT h.account_id FROM usage_hourly h WHERE h.hour >= ? AND h.hour < ?)`;
    const hours = [new Date(hourAt - 2 * hourMs), new Date(timeOfHex(before) + 2 * hourMs)];
    const range = { fromHex: from, beforeHex: before };
    rows.push(...(await readBoth(pool, accounts, hours, filter, range, page.limit - rows.length)));
    if (rows.length >= page.limit) return { rows, reachedHex: from };
    before = from;
  }
  return { rows, reachedHex: before > fromHex ? before : undefined };
}

/** Every attempt under a request id, or the one under a transaction's own id, in one account; first attempt first. */
export async function findTransactions(
  pool: Pool,
  accountId: string,
  name: { readonly requestId: string } | { readonly idHex: string },
  limit: number,
): Promise<readonly Transaction[]> {
  const [condition, value] =
    "idHex" in name
      ? ["id = ?", Buffer.from(name.idHex, "hex")]
      : ["request_id = ?", name.requestId];
  const select = (table: string) =>
    `(SELECT ${transactionColumns} FROM ${table} WHERE account_id = ? AND ${condition} ORDER BY id LIMIT ?)`;
  const rows = await query(
    pool,
    `${select("usage_transaction")} UNION ALL ${select("usage_late")} ORDER BY id LIMIT ?`,
    [accountId, value, limit, accountId, value, limit, limit],
  );
  return rows.map(toTransaction);
}

type IdRange = { readonly fromHex: string; readonly beforeHex: string };

function idRange(filter: TransactionFilter, beforeHex: string): IdRange {
  const { startMs, endMs } = filter;
  const latest = endMs === undefined ? beforeHex : uuidFloorHex(endMs + idSkewMs);
  return {
    fromHex: uuidFloorHex(startMs === undefined ? 0 : startMs - idSkewMs),
    beforeHex: latest < beforeHex ? latest : beforeHex,
  };
}

async function readBoth(
  pool: Pool,
  accounts: string,
  accountValues: readonly unknown[],
  filter: TransactionFilter,
  range: IdRange,
  limit: number,
): Promise<readonly Transaction[]> {
  const { sql, values } = conditionsOf(filter);
  const where = `${accounts} AND t.id >= ? AND t.id < ?${sql}`;
  const all = [
    ...accountValues,
    Buffer.from(range.fromHex, "hex"),
    Buffer.from(range.beforeHex, "hex"),
    ...values,
    limit,
  ];
  // Left alone, the optimizer walks the primary key in the order that is asked for, past millions of other requests.
  const hint = (table: string) =>
    filter.requestId === "" ? "" : ` FORCE INDEX (${table}_request)`;
  const select = (table: string) =>
    `(SELECT ${transactionColumns} FROM ${table} t${hint(table)} WHERE ${where} ORDER BY t.id DESC LIMIT ?)`;
  const rows = await query(
    pool,
    `${select("usage_transaction")} UNION ALL ${select("usage_late")} ORDER BY id DESC LIMIT ?`,
    [...all, ...all, limit],
  );
  return rows.map(toTransaction);
}

/** The newest hour with usage that a walk before an id has yet to look at. */
async function lastActiveHour(
  pool: Pool,
  filter: TransactionFilter,
  beforeHex: string,
): Promise<number | undefined> {
  const tenant = filter.tenantId === "" ? "" : " AND tenant_id = ?";
  const values = filter.tenantId === "" ? [] : [filter.tenantId];
  const [rows] = await pool.query<HourRow[]>(
    `SELECT hour FROM usage_hourly WHERE hour < ?${tenant} ORDER BY hour DESC LIMIT 1`,
    [new Date(timeOfHex(beforeHex) + idSkewMs), ...values],
  );
  return rows[0]?.hour.getTime();
}

type HourRow = RowDataPacket & { readonly hour: Date };

function laterOf(aHex: string, bHex: string): string {
  if (aHex > bHex) return aHex;
  return bHex;
}

function timeOfHex(hex: string): number {
  return Number.parseInt(hex.slice(0, 12), 16);
}

async function query(
  pool: Pool,
  sql: string,
  values: readonly unknown[],
): Promise<readonly TransactionRow[]> {
  const [rows] = await pool.query<(RowDataPacket & TransactionRow)[]>(sql, [...values]);
  return rows;
}
