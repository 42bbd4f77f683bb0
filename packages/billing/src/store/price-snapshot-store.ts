import type { EntityManager } from "@mikro-orm/mysql";
import { PriceSnapshotRow } from "./tables.ts";

/** A price snapshot by its id, the first 16 bytes of the SHA-256 of its canonical JSON. */
export type StoredSnapshot = { readonly id: Uint8Array; readonly json: string };

const batchMax = 500;

/** Stores snapshots. They are named by their content, so that storing one again changes nothing. */
export async function insertSnapshots(
  em: EntityManager,
  snapshots: readonly StoredSnapshot[],
  nowMs: number,
): Promise<void> {
  const createTime = new Date(nowMs);
  for (let from = 0; from < snapshots.length; from += batchMax) {
    const batch = snapshots.slice(from, from + batchMax);
    await em.execute(
      `INSERT INTO price_snapshot (id, content, create_time) VALUES ${batch.map(() => "(?, ?, ?)").join(", ")}
        ON DUPLICATE KEY UPDATE id = id`,
      batch.flatMap(({ id, json }) => [Buffer.from(id), json, createTime]),
    );
  }
}

/** Snapshots as canonical JSON, by the hex of their id; unknown ones are left out. */
export async function findSnapshots(
  em: EntityManager,
  ids: readonly Uint8Array[],
): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await em.find(PriceSnapshotRow, { id: { $in: ids.map((id) => Buffer.from(id)) } });
  return new Map(rows.map((row) => [Buffer.from(row.id).toString("hex"), row.content]));
}
