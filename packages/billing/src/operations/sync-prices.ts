import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";
import type { Orm } from "@farebox/kit/orm";
import type { OpenRouterPrices } from "@farebox/pricing/openrouter-prices";
import type { LiveCatalogue } from "../prices/live-catalogue.ts";
import {
  insertPriceVersions,
  newestContents,
  priceContentSha256,
  pricedModelKey,
} from "../store/price-store.ts";
import { notePriceSync, notePriceSyncError } from "../store/price-sync-store.ts";

export type SyncPricesDeps = {
  readonly orm: Orm;
  readonly clock: Clock;
  readonly log: Logger;
  readonly catalogue: Pick<LiveCatalogue, "refresh">;
  /** Asks for the listing, its prices in force from the instant given. */
  readonly pull: (effectiveFrom: string, signal: AbortSignal) => Promise<OpenRouterPrices>;
};

/** What a pull brought. */
export type PriceSyncResult = {
  readonly pricesCount: number;
  /** Versions stored because they are new or changed. */
  readonly changedCount: number;
  readonly skippedCount: number;
};

/**
 * Pulls the prices that OpenRouter lists, and stores those that are new or changed; they apply at once. A model that is no
 * longer listed keeps its last price. A pull that fails changes no price; why is noted for whoever lists prices.
 *
 * Errors: UNAVAILABLE.
 */
export async function syncPrices(
  deps: SyncPricesDeps,
  signal: AbortSignal,
): Promise<PriceSyncResult> {
  const nowMs = deps.clock.nowMs();
  const pulled = await pullOrNote(deps, nowMs, signal);
  const changedCount = await deps.orm.write(async (em) => {
    const known = await newestContents(em, "openrouter", pulled.prices);
    const changed = pulled.prices.filter(
      (price) => known.get(pricedModelKey(price)) !== priceContentSha256(price),
    );
    await insertPriceVersions(
      em,
      changed.map((price) => ({ price })),
      nowMs,
    );
    await notePriceSync(em, "openrouter", nowMs);
    return changed.length;
  });
  await deps.catalogue.refresh();
  const result = {
    pricesCount: pulled.prices.length,
    changedCount,
    skippedCount: pulled.skipped.length,
  };
  deps.log.info({ event: "prices.synced", source: "openrouter", ...result });
  return result;
}

async function pullOrNote(
  deps: SyncPricesDeps,
  nowMs: number,
  signal: AbortSignal,
): Promise<OpenRouterPrices> {
  try {
    return await deps.pull(new Date(nowMs).toISOString(), signal);
  } catch (err) {
    const why = err instanceof Error ? err.message : String(err);
    deps.log.warn({ event: "prices.sync_failed", source: "openrouter", err });
    await deps.orm.write((em) => notePriceSyncError(em, "openrouter", why));
    throw new AppError(
      "UNAVAILABLE",
      "The price listing could not be read; the last good prices stay.",
      {
        cause: err,
      },
    );
  }
}
