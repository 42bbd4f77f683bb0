import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";
import type { Orm } from "@farebox/kit/orm";
import type { BillingConfig } from "./config.ts";
import { loadBundledPrices } from "./prices/bundled-prices.ts";
import { readFreeQuotaFile } from "./prices/free-quota-file.ts";
import { LiveCatalogue } from "./prices/live-catalogue.ts";
import { readPriceFile } from "./prices/price-file.ts";
import { createCatalogueStore } from "./store/catalogue-store.ts";
import { listFreeQuotaRules, upsertFreeQuotaRules } from "./store/free-quota-store.ts";

/**
 * Opens the catalogue of a process: reads the operator's files, sets the free quotas they name, and loads every price.
 * Rejects for a file that is not valid, with every field at fault.
 */
export async function openCatalogue(deps: {
  readonly config: Pick<BillingConfig, "pricesFile" | "freeQuotasFile">;
  readonly orm: Orm;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<LiveCatalogue> {
  const { config, orm, clock, log } = deps;
  const file = config.pricesFile
    ? await readPriceFile(config.pricesFile)
    : { versions: [], exchangeRates: [] };
  if (config.freeQuotasFile) await setFreeQuotas(orm, clock, config.freeQuotasFile);
  const bundled = await loadBundledPrices();
  const store = createCatalogueStore({ orm, clock });
  const catalogue = await LiveCatalogue.open({ store, bundled, file, clock, log });
  log.info({
    event: "catalogue.opened",
    names: catalogue.current().versions.length,
    overrides: file.versions.length,
    unpriced: bundled.skipped.length,
  });
  return catalogue;
}

/** Sets the rules of the file that are not so already, so that a restart changes nothing. */
async function setFreeQuotas(orm: Orm, clock: Clock, path: string): Promise<void> {
  const wanted = await readFreeQuotaFile(path);
  await orm.write(async (em) => {
    const known = await listFreeQuotaRules(em);
    const changed = wanted.filter((rule) => {
      const now = known.find((it) => it.service === rule.service);
      return now?.period !== rule.period || now.unit !== rule.unit || now.amount !== rule.amount;
    });
    await upsertFreeQuotaRules(em, changed, clock.nowMs());
  });
}
