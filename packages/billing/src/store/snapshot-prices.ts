import type { Pool } from "@farebox/kit/mysql";
import { type CompiledPrice, compilePrice } from "@farebox/pricing/compiled-price";
import { parseSnapshot } from "@farebox/pricing/snapshot";
import type { RowDataPacket } from "mysql2/promise";
import { createBoundedMap } from "../domain/bounded-map.ts";
import { inChunks } from "./in-chunks.ts";
import { quoteHex } from "./sql-text.ts";

/** This process's copy of price snapshots, compiled. Snapshots never change. Ids are 32 hex digits. */
export type SnapshotPrices = {
  /** Undefined for a snapshot that is not loaded, or does not exist. */
  get(snapshotId: string): CompiledPrice | undefined;
  /** Reads those that are not loaded yet. Snapshots that do not exist are looked for anew each time. */
  load(snapshotIds: Iterable<string>): Promise<void>;
};

/** Makes an empty copy, bounded. */
export function createSnapshotPrices(pool: Pool, snapshotsMax = 10_000): SnapshotPrices {
  const known = createBoundedMap<CompiledPrice>(snapshotsMax);
  return {
    get: known.get,
    load: async (snapshotIds) => {
      const missing = new Set<string>();
      for (const id of snapshotIds) if (known.get(id) === undefined) missing.add(id);
      for (const chunk of inChunks([...missing])) {
        const [rows] = await pool.query<SnapshotRow[]>(
          `SELECT LOWER(HEX(id)) AS id, content FROM price_snapshot WHERE id IN (${chunk.map(quoteHex).join(",")})`,
        );
        for (const row of rows) known.set(row.id, compilePrice(parseSnapshot(row.content)));
      }
    },
  };
}

type SnapshotRow = RowDataPacket & { readonly id: string; readonly content: string };
