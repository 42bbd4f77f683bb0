import { type Queryable, toBytes } from "@farebox/kit/column-values";
import type { RowDataPacket } from "mysql2/promise";
import type { Counted, Epoch } from "../domain/epoch.ts";

/** Names an epoch: one run of an allocation's container. */
export type EpochKey = { readonly allocationId: string; readonly startedAt: string };

/** Makes epochs that are not there yet, empty; those that are stay as they are. */
export async function beginEpochs(db: Queryable, keys: readonly EpochKey[]): Promise<void> {
  if (keys.length === 0) return;
  await db.query(
    `INSERT INTO epoch (allocation_id, started_at) VALUES ?
      ON DUPLICATE KEY UPDATE started_at = epoch.started_at`,
    [keys.map(({ allocationId, startedAt }) => [toBytes(allocationId), startedAt])],
  );
}

/** Locks and reads epochs, in the order of their keys, so that two collectors never wait for each other in a circle. */
export async function lockEpochs(
  db: Queryable,
  keys: readonly EpochKey[],
): Promise<readonly (EpochKey & { readonly epoch: Epoch })[]> {
  if (keys.length === 0) return [];
  const [rows] = await db.query<EpochRow[]>(
    `${select} WHERE (allocation_id, started_at) IN (?) ORDER BY allocation_id, started_at FOR UPDATE`,
    [keys.map(({ allocationId, startedAt }) => [toBytes(allocationId), startedAt])],
  );
  return rows.map(toKeyed);
}

/** Writes epochs that are locked. */
export async function saveEpochs(
  db: Queryable,
  epochs: readonly (EpochKey & { readonly epoch: Epoch })[],
): Promise<void> {
  if (epochs.length === 0) return;
  const rows = epochs.map(({ allocationId, startedAt, epoch }) => [
    ...[toBytes(allocationId), startedAt, epoch.cpuNanoseconds.toString()],
    ...[epoch.sentBytes.toString(), epoch.receivedBytes.toString()],
    ...[epoch.readBytes.toString(), epoch.writtenBytes.toString()],
    ...[epoch.memoryByteMilliseconds.toString(), epoch.unknownMs, epoch.sampleCount],
    ...[epoch.firstReadMs ?? null, epoch.lastReadMs ?? null, epoch.lastMemoryBytes ?? null],
  ]);
  const changed = columns.slice(2).map((it) => `${it} = VALUES(${it})`);
  await db.query(
    `INSERT INTO epoch (${columns.join(", ")}) VALUES ? ON DUPLICATE KEY UPDATE ${changed.join(", ")}`,
    [rows],
  );
}

/** The runs of an allocation's container, oldest first. */
export async function readEpochs(
  db: Queryable,
  allocationId: string,
): Promise<readonly (EpochKey & { readonly epoch: Epoch })[]> {
  const [rows] = await db.query<EpochRow[]>(
    `${select} WHERE allocation_id = ? ORDER BY started_at`,
    [toBytes(allocationId)],
  );
  return rows.map(toKeyed);
}

/** What the runs of each allocation come to; one of which nothing was seen is left out. */
export async function sumCounted(
  db: Queryable,
  allocationIds: readonly string[],
): Promise<ReadonlyMap<string, Counted>> {
  if (allocationIds.length === 0) return new Map();
  const [rows] = await db.query<SumRow[]>(
    `SELECT LOWER(HEX(allocation_id)) AS id_hex, CAST(SUM(cpu_nanoseconds) AS CHAR) AS cpu, CAST(SUM(memory_byte_ms) AS CHAR) AS memory,
        CAST(SUM(sent_bytes) AS CHAR) AS sent, CAST(SUM(sample_count) AS CHAR) AS samples
      FROM epoch WHERE allocation_id IN (?) GROUP BY allocation_id`,
    [allocationIds.map(toBytes)],
  );
  return new Map(
    rows.map((row) => [
      row.id_hex,
      {
        cpuNanoseconds: BigInt(row.cpu),
        memoryByteMilliseconds: BigInt(row.memory),
        sentBytes: BigInt(row.sent),
        sampleCount: Number(row.samples),
      },
    ]),
  );
}

const columns = [
  ...["allocation_id", "started_at", "cpu_nanoseconds", "sent_bytes", "received_bytes"],
  ...["read_bytes", "written_bytes", "memory_byte_ms", "unknown_ms", "sample_count"],
  ...["first_read_ms", "last_read_ms", "last_memory_bytes"],
] as const;

const select = `SELECT LOWER(HEX(allocation_id)) AS id_hex, ${columns.slice(1).join(", ")} FROM epoch`;

type EpochRow = RowDataPacket & {
  readonly id_hex: string;
  readonly started_at: string;
  readonly cpu_nanoseconds: string;
  readonly sent_bytes: string;
  readonly received_bytes: string;
  readonly read_bytes: string;
  readonly written_bytes: string;
  readonly memory_byte_ms: string;
  readonly unknown_ms: bigint;
  readonly sample_count: bigint;
  readonly first_read_ms: bigint | null;
  readonly last_read_ms: bigint | null;
  readonly last_memory_bytes: bigint | null;
};

type SumRow = RowDataPacket & {
  readonly id_hex: string;
  readonly cpu: string;
  readonly memory: string;
  readonly sent: string;
  readonly samples: string;
};

function toKeyed(row: EpochRow): EpochKey & { readonly epoch: Epoch } {
  return {
    allocationId: row.id_hex,
    startedAt: row.started_at,
    epoch: {
      cpuNanoseconds: BigInt(row.cpu_nanoseconds),
      sentBytes: BigInt(row.sent_bytes),
      receivedBytes: BigInt(row.received_bytes),
      readBytes: BigInt(row.read_bytes),
      writtenBytes: BigInt(row.written_bytes),
      memoryByteMilliseconds: BigInt(row.memory_byte_ms),
      unknownMs: Number(row.unknown_ms),
      sampleCount: Number(row.sample_count),
      firstReadMs: row.first_read_ms === null ? undefined : Number(row.first_read_ms),
      lastReadMs: row.last_read_ms === null ? undefined : Number(row.last_read_ms),
      lastMemoryBytes: row.last_memory_bytes ?? undefined,
    },
  };
}
