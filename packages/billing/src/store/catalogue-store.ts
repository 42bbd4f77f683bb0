import type { Clock } from "@farebox/kit/clock";
import type { Orm } from "@farebox/kit/orm";
import type { CatalogueStore } from "../prices/live-catalogue.ts";
import { listFreeQuotaRules } from "./free-quota-store.ts";
import { insertSnapshots } from "./price-snapshot-store.ts";
import { loadPriceVersions, priceVersionsSince } from "./price-store.ts";

/** The catalogue's part of MySQL. */
export function createCatalogueStore(deps: {
  readonly orm: Orm;
  readonly clock: Clock;
}): CatalogueStore {
  const { orm, clock } = deps;
  return {
    loadVersions: (nowMs) => orm.read((em) => loadPriceVersions(em, nowMs)),
    versionsSince: (sinceMs) => orm.read((em) => priceVersionsSince(em, sinceMs)),
    freeQuotaRules: () => orm.read(listFreeQuotaRules),
    saveSnapshots: (sheets) => orm.write((em) => insertSnapshots(em, sheets, clock.nowMs())),
  };
}
