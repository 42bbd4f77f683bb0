import { oneOf, type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import type { Nanos } from "@farebox/kit/money";
import type { DeviceDimension } from "@farebox/pricing/device-usage";
import type { RowDataPacket } from "mysql2/promise";
import type { Quality } from "../domain/owed-usage.ts";
import {
  type DeliveryState,
  deliveryStates,
  type UsageWindow,
  windowKinds,
} from "../domain/usage-window.ts";

/** Puts something in the outbox. Throws when it is there already, by allocation, kind and period: nothing is reported twice. */
export async function addWindow(
  db: Queryable,
  window: Pick<
    UsageWindow,
    | "allocationId"
    | "accountId"
    | "kind"
    | "periodStartMs"
    | "periodEndMs"
    | "quantities"
    | "isLast"
  >,
  nowMs: number,
): Promise<void> {
  await db.query("INSERT INTO usage_window SET ?", [
    {
      allocation_id: toBytes(window.allocationId),
      account_id: window.accountId,
      kind: window.kind,
      period_start: toTime(window.periodStartMs),
      period_end: toTime(window.periodEndMs),
      quantities: JSON.stringify(
        window.quantities.map(({ dimension, counted, quality }) => [
          dimension,
          counted.toString(),
          quality,
        ]),
      ),
      is_last: window.isLast ? 1 : 0,
      due_time: toTime(nowMs),
      create_time: toTime(nowMs),
    },
  ]);
}

/**
 * Claims what is due, the oldest of each allocation only: what closes a lease must not overtake what is charged to it, and
 * what waits for a person holds up what comes after it.
 */
export async function claimDueWindows(
  db: Queryable,
  of: { readonly nowMs: number; readonly untilMs: number; readonly limit: number },
): Promise<readonly UsageWindow[]> {
  const [rows] = await db.query<WindowRow[]>(
    `${select} WHERE state = 'PENDING' AND due_time <= ? AND NOT EXISTS (
        SELECT 1 FROM usage_window AS before_it WHERE before_it.allocation_id = usage_window.allocation_id
          AND before_it.state <> 'DELIVERED' AND before_it.id < usage_window.id)
      ORDER BY due_time, id LIMIT ?`,
    [toTime(of.nowMs), of.limit],
  );
  const windows = rows.map(toWindow);
  if (windows.length === 0) return [];
  // Who claims the same ones at once sends them twice: Billing charges each once.
  await db.query("UPDATE usage_window SET due_time = ? WHERE state = 'PENDING' AND id IN (?)", [
    toTime(of.untilMs),
    windows.map(({ id }) => id),
  ]);
  return windows;
}

/** Writes what came of sending: delivered, dead, or due again. One that was delivered meanwhile stays so. */
export async function closeWindow(
  db: Queryable,
  id: bigint,
  outcome:
    | { readonly state: "DELIVERED"; readonly charged: Nanos | undefined }
    | { readonly state: "DEAD"; readonly error: string }
    | {
        readonly state: "PENDING";
        readonly error: string;
        readonly dueMs: number;
        readonly isSent: boolean;
      },
): Promise<void> {
  const changed = {
    state: outcome.state,
    error: outcome.state === "DELIVERED" ? "" : outcome.error.slice(0, 64),
    due_time: outcome.state === "PENDING" ? toTime(outcome.dueMs) : null,
    ...(outcome.state === "DELIVERED" ? { charged: outcome.charged ?? null } : {}),
  };
  await db.query(
    "UPDATE usage_window SET ?, attempts = attempts + ? WHERE id = ? AND state <> 'DELIVERED'",
    [changed, outcome.state === "PENDING" && !outcome.isSent ? 0 : 1, id],
  );
}

/** Sends a dead letter again; whatever is none stays as it is. */
export async function reviveWindow(db: Queryable, id: bigint, nowMs: number): Promise<void> {
  await db.query(
    "UPDATE usage_window SET state = 'PENDING', due_time = ? WHERE id = ? AND state = 'DEAD'",
    [toTime(nowMs), id],
  );
}

export async function readWindow(db: Queryable, id: bigint): Promise<UsageWindow | undefined> {
  const [rows] = await db.query<WindowRow[]>(`${select} WHERE id = ?`, [id]);
  return rows[0] && toWindow(rows[0]);
}

/** What Billing is told, of an allocation or of all; in the order of their making, or the newest first. */
export async function listWindows(
  db: Queryable,
  filter: { readonly state: DeliveryState | undefined; readonly allocationId: string },
  page: {
    readonly after: bigint | undefined;
    readonly limit: number;
    readonly isNewestFirst?: boolean;
  },
): Promise<readonly UsageWindow[]> {
  const where = ["TRUE"];
  const values: unknown[] = [];
  const and = (condition: string, value: unknown) => {
    where.push(condition);
    values.push(value);
  };
  if (filter.state !== undefined) and("state = ?", filter.state);
  if (filter.allocationId !== "") and("allocation_id = ?", toBytes(filter.allocationId));
  if (page.after !== undefined) and("id > ?", page.after);
  const [rows] = await db.query<WindowRow[]>(
    `${select} WHERE ${where.join(" AND ")} ORDER BY id ${page.isNewestFirst ? "DESC" : "ASC"} LIMIT ?`,
    [...values, page.limit],
  );
  return rows.map(toWindow);
}

/** What Billing has charged for each allocation so far; one of which it has charged nothing is left out. */
export async function sumCharged(
  db: Queryable,
  allocationIds: readonly string[],
): Promise<ReadonlyMap<string, Nanos>> {
  if (allocationIds.length === 0) return new Map();
  const [rows] = await db.query<ChargedRow[]>(
    `SELECT LOWER(HEX(allocation_id)) AS allocation_hex, CAST(SUM(charged) AS SIGNED) AS charged
      FROM usage_window WHERE allocation_id IN (?) AND charged IS NOT NULL GROUP BY allocation_id`,
    [allocationIds.map(toBytes)],
  );
  return new Map(rows.map((row) => [row.allocation_hex, row.charged]));
}

/** How many wait to be sent, and how many for a person. */
export async function countUndelivered(
  db: Queryable,
): Promise<{ readonly pending: number; readonly dead: number }> {
  const [rows] = await db.query<CountRow[]>(
    "SELECT state, COUNT(*) AS n FROM usage_window WHERE state <> 'DELIVERED' GROUP BY state",
  );
  const of = (state: string) => Number(rows.find((it) => it.state === state)?.n ?? 0n);
  return { pending: of("PENDING"), dead: of("DEAD") };
}

const select = `SELECT id, LOWER(HEX(allocation_id)) AS allocation_hex, account_id, kind, CAST(period_start AS CHAR) AS start_text,
    CAST(period_end AS CHAR) AS end_text, quantities, is_last, state, attempts, error, charged FROM usage_window`;

type ChargedRow = RowDataPacket & { readonly allocation_hex: string; readonly charged: Nanos };
type CountRow = RowDataPacket & { readonly state: string; readonly n: bigint };
type WindowRow = RowDataPacket & {
  readonly id: bigint;
  readonly allocation_hex: string;
  readonly account_id: string;
  readonly kind: string;
  readonly start_text: string;
  readonly end_text: string;
  readonly quantities: string;
  readonly is_last: number;
  readonly state: string;
  readonly attempts: number;
  readonly error: string;
  readonly charged: Nanos | null;
};

function toWindow(row: WindowRow): UsageWindow {
  const quantities: readonly [DeviceDimension, string, Quality][] = JSON.parse(row.quantities);
  return {
    id: row.id,
    allocationId: row.allocation_hex,
    accountId: row.account_id,
    kind: oneOf(windowKinds, row.kind),
    periodStartMs: readTime(row.start_text) ?? 0,
    periodEndMs: readTime(row.end_text) ?? 0,
    quantities: quantities.map(([dimension, counted, quality]) => ({
      ...{ dimension, quality },
      counted: BigInt(counted),
    })),
    isLast: row.is_last === 1,
    state: oneOf(deliveryStates, row.state),
    attempts: row.attempts,
    error: row.error,
    charged: row.charged ?? undefined,
  };
}
