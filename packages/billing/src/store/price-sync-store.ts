import type { PriceSource } from "@farebox/pricing/price";
import type { EntityManager } from "@mikro-orm/mysql";
import { PriceSyncRow } from "./tables.ts";

/** How the pulls from a source go: when one last succeeded, and why the last one failed if it did. */
export type PriceSync = { readonly successMs: number | undefined; readonly error: string };

const errorCharsMax = 500;

/** How the pulls from a source go. */
export async function findPriceSync(em: EntityManager, source: PriceSource): Promise<PriceSync> {
  const row = await em.findOne(PriceSyncRow, { source });
  return { successMs: row?.successTime?.getTime(), error: row?.error ?? "" };
}

/** Notes that a pull succeeded. */
export async function notePriceSync(
  em: EntityManager,
  source: PriceSource,
  nowMs: number,
): Promise<void> {
  await em.upsert(PriceSyncRow, { source, successTime: new Date(nowMs), error: "" });
}

/** Notes why a pull failed; when the last one succeeded stays known. */
export async function notePriceSyncError(
  em: EntityManager,
  source: PriceSource,
  error: string,
): Promise<void> {
  await em.upsert(
    PriceSyncRow,
    { source, error: error.slice(0, errorCharsMax) },
    { onConflictMergeFields: ["error"] },
  );
}
