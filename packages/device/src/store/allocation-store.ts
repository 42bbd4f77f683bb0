import { type Queryable, toBytes, toTime } from "@farebox/kit/column-values";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import {
  type Allocation,
  type AllocationState,
  openStates,
  placedStates,
} from "../domain/allocation.ts";
import type { Commitment } from "../domain/resources.ts";
import {
  type AllocationChange,
  type AllocationRow,
  columnsOf,
  selectAllocation,
  toAllocation,
} from "./allocation-mapping.ts";

/** Writes a new allocation. Throws a duplicate (1062) when the account's request id was used before. */
export async function insertAllocation(
  db: Queryable,
  allocation: Allocation,
  dueMs: number | undefined,
): Promise<void> {
  const { ask, modes } = allocation;
  await db.query("INSERT INTO allocation SET ?", [
    {
      ...columnsOf({ ...allocation, dueMs: dueMs ?? null }),
      id: toBytes(allocation.id),
      account_id: allocation.accountId,
      request_id: allocation.requestId,
      content_sha256: allocation.contentSha256,
      ask: JSON.stringify(ask),
      cpu_millis: ask.resources.cpuMillis,
      memory_mb: ask.resources.memoryMb,
      storage_mb: ask.resources.storageMb,
      priority: ask.priority,
      cpu_mode: modes.cpu,
      memory_mode: modes.memory,
      book_time: toTime(allocation.bookMs),
      queue_until: toTime(allocation.queueUntilMs),
      create_time: toTime(allocation.createMs),
    },
  ]);
}

/** Reads an allocation as last committed. */
export async function readAllocation(db: Queryable, id: string): Promise<Allocation | undefined> {
  const [rows] = await db.query<AllocationRow[]>(`${selectAllocation} WHERE id = ?`, [toBytes(id)]);
  return rows[0] && toAllocation(rows[0]);
}

/** Reads allocations as last committed, by id; those that do not exist are left out. */
export async function readAllocations(
  db: Queryable,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Allocation>> {
  if (ids.length === 0) return new Map();
  const [rows] = await db.query<AllocationRow[]>(`${selectAllocation} WHERE id IN (?)`, [
    ids.map(toBytes),
  ]);
  return new Map(rows.map((row) => [row.id_hex, toAllocation(row)]));
}

/** Locks and reads an allocation: whatever changes one does so under this lock. */
export async function lockAllocation(db: Queryable, id: string): Promise<Allocation | undefined> {
  const [rows] = await db.query<AllocationRow[]>(`${selectAllocation} WHERE id = ? FOR UPDATE`, [
    toBytes(id),
  ]);
  return rows[0] && toAllocation(rows[0]);
}

export async function readByRequest(
  db: Queryable,
  of: { readonly accountId: string; readonly requestId: string },
): Promise<Allocation | undefined> {
  const [rows] = await db.query<AllocationRow[]>(
    `${selectAllocation} WHERE account_id = ? AND request_id = ?`,
    [of.accountId, of.requestId],
  );
  return rows[0] && toAllocation(rows[0]);
}

export async function changeAllocation(
  db: Queryable,
  id: string,
  change: AllocationChange,
): Promise<void> {
  await db.query("UPDATE allocation SET ? WHERE id = ?", [columnsOf(change), toBytes(id)]);
}

/** Changes an allocation that is still about to start. False when it is no more. */
export async function changePlaced(
  db: Queryable,
  id: string,
  change: AllocationChange,
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    "UPDATE allocation SET ? WHERE id = ? AND state = 'PLACED'",
    [columnsOf(change), toBytes(id)],
  );
  return result.affectedRows === 1;
}

/** Says that devices were seen running. Never moves back. */
export async function markSeen(
  db: Queryable,
  ids: readonly string[],
  seenMs: number,
): Promise<void> {
  if (ids.length === 0) return;
  await db.query(
    `UPDATE allocation SET seen_time = GREATEST(COALESCE(seen_time, ?), LEAST(?, lease_end_time))
      WHERE state = 'RUNNING' AND id IN (?)`,
    [toTime(seenMs), toTime(seenMs), ids.map(toBytes)],
  );
}

/** True for whoever is the first to warn of this. A warning of money is taken back by `false`. */
export async function markWarned(
  db: Queryable,
  id: string,
  of: "term" | "money",
  isWarned = true,
): Promise<boolean> {
  const column = of === "term" ? "is_term_warned" : "is_money_warned";
  const [result] = await db.query<ResultSetHeader>(
    `UPDATE allocation SET ${column} = ? WHERE id = ? AND ${column} <> ?`,
    [isWarned ? 1 : 0, toBytes(id), isWarned ? 1 : 0],
  );
  return result.affectedRows === 1;
}

/** Claims allocations that something is to be done for: nobody else takes them before `untilMs`. */
export async function claimDueAllocations(
  db: Queryable,
  of: { readonly nowMs: number; readonly untilMs: number; readonly limit: number },
): Promise<readonly string[]> {
  const [rows] = await db.query<IdRow[]>(
    "SELECT LOWER(HEX(id)) AS id_hex FROM allocation WHERE due_time <= ? ORDER BY due_time LIMIT ?",
    [toTime(of.nowMs), of.limit],
  );
  const claimed: string[] = [];
  for (const { id_hex } of rows) {
    const [result] = await db.query<ResultSetHeader>(
      "UPDATE allocation SET due_time = ? WHERE id = ? AND due_time <= ?",
      [toTime(of.untilMs), toBytes(id_hex), toTime(of.nowMs)],
    );
    if (result.affectedRows === 1) claimed.push(id_hex);
  }
  return claimed;
}

/** Every device of a node that runs, or of all nodes. */
export async function readRunning(
  db: Queryable,
  nodeId: string | undefined,
): Promise<readonly Allocation[]> {
  const [rows] = await db.query<AllocationRow[]>(
    `${selectAllocation} WHERE state = 'RUNNING'${nodeId === undefined ? "" : " AND node_id = ?"}`,
    nodeId === undefined ? [] : [toBytes(nodeId)],
  );
  return rows.map(toAllocation);
}

/** Waiting allocations in the order of `queueOrder`, which does not change with time; bookings only from those whose time has come. */
export async function readWaiting(
  db: Queryable,
  state: "QUEUED" | "BOOKED",
  of: { readonly bookedBeforeMs: number; readonly limit: number },
): Promise<readonly Allocation[]> {
  const booked = state === "BOOKED" ? "AND book_time <= ?" : "";
  const [rows] = await db.query<AllocationRow[]>(
    `${selectAllocation} WHERE state = ? ${booked} ORDER BY priority * 60 - UNIX_TIMESTAMP(create_time) DESC, id LIMIT ?`,
    state === "BOOKED" ? [state, toTime(of.bookedBeforeMs), of.limit] : [state, of.limit],
  );
  return rows.map(toAllocation);
}

/** How many allocations of an account are open, and whether anybody's waits for room. */
export async function countOpen(
  db: Queryable,
  accountId: string,
): Promise<{ readonly open: number; readonly hasQueue: boolean }> {
  const [rows] = await db.query<OpenRow[]>(
    `SELECT COUNT(*) AS n, EXISTS (SELECT 1 FROM allocation WHERE state = 'QUEUED') AS has_queue
      FROM allocation WHERE account_id = ? AND state IN (?)`,
    [accountId, [...openStates]],
  );
  return { open: Number(rows[0]?.n ?? 0n), hasQueue: Number(rows[0]?.has_queue ?? 0) === 1 };
}

export async function countQueued(db: Queryable): Promise<number> {
  const [rows] = await db.query<CountRow[]>(
    "SELECT COUNT(*) AS n FROM allocation WHERE state = 'QUEUED'",
  );
  return Number(rows[0]?.n ?? 0n);
}

/** What nodes have promised, each with whose it is. One that is being stopped keeps its room until it is gone. */
export async function readCommitments(
  db: Queryable,
  nodeIds: readonly string[],
  nowMs: number,
): Promise<readonly (Commitment & { readonly nodeId: string; readonly accountId: string })[]> {
  if (nodeIds.length === 0) return [];
  const [rows] = await db.query<CommitmentRow[]>(
    `SELECT LOWER(HEX(node_id)) AS node_hex, account_id, state, cpu_millis, memory_mb, storage_mb,
        CAST(UNIX_TIMESTAMP(book_time) * 1000 AS SIGNED) AS book_ms, term_ms,
        CAST(UNIX_TIMESTAMP(lease_end_time) * 1000 AS SIGNED) AS lease_end_ms
      FROM allocation WHERE node_id IN (?) AND state IN (?)`,
    [nodeIds.map(toBytes), [...placedStates]],
  );
  return rows.map((row) => ({
    nodeId: row.node_hex,
    accountId: row.account_id,
    startMs: row.state === "BOOKED" ? Number(row.book_ms) : 0,
    endMs: commitmentEnd(row, nowMs),
    resources: { cpuMillis: row.cpu_millis, memoryMb: row.memory_mb, storageMb: row.storage_mb },
  }));
}

/** What is over and not gone keeps its room until it is. */
function commitmentEnd(row: CommitmentRow, nowMs: number): number {
  if (row.state === "BOOKED") return Number(row.book_ms) + Number(row.term_ms);
  if (row.state === "RELEASING" || row.lease_end_ms === null) return Infinity;
  const endMs = Number(row.lease_end_ms);
  return endMs <= nowMs ? Infinity : endMs;
}

/** A page of allocations, newest first. */
export async function listAllocations(
  db: Queryable,
  filter: {
    readonly accountId: string;
    readonly state: AllocationState | undefined;
    readonly nodeId: string;
  },
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<readonly Allocation[]> {
  const where = ["TRUE"];
  const values: unknown[] = [];
  const and = (condition: string, value: unknown) => {
    where.push(condition);
    values.push(value);
  };
  if (filter.accountId !== "") and("account_id = ?", filter.accountId);
  if (filter.state !== undefined) and("state = ?", filter.state);
  if (filter.nodeId !== "") and("node_id = ?", toBytes(filter.nodeId));
  if (page.after !== undefined) and("id < ?", toBytes(page.after));
  const [rows] = await db.query<AllocationRow[]>(
    `${selectAllocation} WHERE ${where.join(" AND ")} ORDER BY id DESC LIMIT ?`,
    [...values, page.limit],
  );
  return rows.map(toAllocation);
}

/** Allocations that ended since, the latest end first. */
export async function readEnded(
  db: Queryable,
  of: { readonly sinceMs: number; readonly limit: number },
): Promise<readonly Allocation[]> {
  const [rows] = await db.query<AllocationRow[]>(
    `${selectAllocation} WHERE state = 'RELEASED' AND end_time >= ? ORDER BY end_time DESC, id DESC LIMIT ?`,
    [toTime(of.sinceMs), of.limit],
  );
  return rows.map(toAllocation);
}

type IdRow = RowDataPacket & { readonly id_hex: string };
type OpenRow = RowDataPacket & { readonly n: bigint; readonly has_queue: bigint | number };
type CountRow = RowDataPacket & { readonly n: bigint };
type CommitmentRow = RowDataPacket & {
  readonly node_hex: string;
  readonly account_id: string;
  readonly state: string;
  readonly cpu_millis: number;
  readonly memory_mb: number;
  readonly storage_mb: number;
  readonly book_ms: bigint | null;
  readonly term_ms: bigint;
  readonly lease_end_ms: bigint | null;
};
