import type { PoolConnection } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { dayMs, dayStartMs, uuidFloorHex } from "../domain/usage-day.ts";

/** The days that `usage_transaction` has a partition for, by their midnight, oldest first. */
export async function readPartitionDays(db: PoolConnection): Promise<number[]> {
  const [rows] = await db.query<NameRow[]>(
    `SELECT PARTITION_NAME AS name FROM information_schema.PARTITIONS
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'usage_transaction' ORDER BY PARTITION_ORDINAL_POSITION`,
  );
  return rows.map((row) => partitionDayMs(row.name)).filter((day) => day !== undefined);
}

/** How many rows are in `pmax`, counted up to `max`: none when the job keeps up. */
export async function countOverflow(db: PoolConnection, max: number): Promise<number> {
  const [rows] = await db.query<CountRow[]>(
    `SELECT COUNT(*) AS count FROM
       (SELECT 1 FROM usage_transaction PARTITION (pmax) LIMIT ?) AS overflow`,
    [max],
  );
  return Number(rows[0]?.count ?? 0);
}

/** The day of the oldest row in `pmax`; undefined when it is empty. Reads all of it. */
export async function readOverflowDay(db: PoolConnection): Promise<number | undefined> {
  const [rows] = await db.query<OldestRow[]>(
    "SELECT HEX(MIN(id)) AS id FROM usage_transaction PARTITION (pmax)",
  );
  const id = rows[0]?.id;
  return typeof id === "string" ? dayStartMs(Number.parseInt(id.slice(0, 12), 16)) : undefined;
}

/** Cuts days out of the front of `pmax`, with their rows. Takes the table's metadata lock; copies the rows of `pmax`. */
export async function addPartitions(db: PoolConnection, daysMs: readonly number[]): Promise<void> {
  const parts = daysMs.map(
    (day) => `PARTITION ${partitionName(day)} VALUES LESS THAN (0x${uuidFloorHex(day + dayMs)})`,
  );
  await db.query(
    `ALTER TABLE usage_transaction REORGANIZE PARTITION pmax INTO
       (${parts.join(", ")}, PARTITION pmax VALUES LESS THAN (MAXVALUE))`,
  );
}

/** Drops a day and its rows for good. Takes the table's metadata lock. */
export async function dropPartition(db: PoolConnection, dayStart: number): Promise<void> {
  await db.query(`ALTER TABLE usage_transaction DROP PARTITION ${partitionName(dayStart)}`);
}

/**
 * Makes the connection the only one that changes partitions of this schema, until it is closed; false when another one
 * is. Its statements wait at most `lockSecondsMax` for a table's metadata lock: as long as they wait, settlement waits.
 */
export async function becomePartitioner(
  db: PoolConnection,
  waitSeconds: number,
  lockSecondsMax: number,
): Promise<boolean> {
  const [rows] = await db.query<LockRow[]>(`SELECT GET_LOCK(${partitionerLock}, ?) AS locked`, [
    waitSeconds,
  ]);
  if (Number(rows[0]?.locked ?? 0) !== 1) return false;
  await db.query("SET SESSION lock_wait_timeout = ?", [lockSecondsMax]);
  return true;
}

/** Lets another connection become the partitioner, as soon as it answers. */
export async function releasePartitioner(db: PoolConnection): Promise<void> {
  await db.query(`SELECT RELEASE_LOCK(${partitionerLock})`);
}

/** One of each schema. A lock's name has at most 64 characters. */
const partitionerLock = "LEFT(CONCAT('farebox.partitions.', DATABASE()), 64)";

type NameRow = RowDataPacket & { readonly name: string };
type CountRow = RowDataPacket & { readonly count: number | bigint };
type OldestRow = RowDataPacket & { readonly id: string | null };
type LockRow = RowDataPacket & { readonly locked: number | bigint | null };

/** For example "p20261121". */
function partitionName(timeMs: number): string {
  return `p${new Date(timeMs).toISOString().slice(0, 10).replaceAll("-", "")}`;
}

function partitionDayMs(name: string): number | undefined {
  const match = /^p(\d{4})(\d{2})(\d{2})$/.exec(name);
  if (match === null) return undefined;
  return Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]));
}
