import { fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Orm } from "@farebox/kit/orm";
import type { PageTokens } from "@farebox/kit/page-token";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import { QuotaPeriod } from "@farebox/proto/farebox/billing/v1/account";
import type { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import { FreeUnit } from "@farebox/proto/farebox/billing/v1/lease";
import { type FreeQuotaRule, freeUnits, quotaPeriods } from "../domain/free-quota.ts";
import {
  type GetDeviceRateCardDeps,
  getDeviceRateCard,
} from "../operations/get-device-rate-card.ts";
import { listDeviceRates } from "../operations/list-device-rates.ts";
import { listFreeQuotas } from "../operations/list-free-quotas.ts";
import { listPrices } from "../operations/list-prices.ts";
import { setDeviceRates } from "../operations/set-device-rates.ts";
import { setFreeQuota } from "../operations/set-free-quota.ts";
import { setPrice } from "../operations/set-price.ts";
import { type SyncPricesDeps, syncPrices } from "../operations/sync-prices.ts";
import { type CatalogPush, watchCatalog } from "../operations/watch-catalog.ts";
import type { LiveCatalogue } from "../prices/live-catalogue.ts";
import { fromRates, toProtoRates } from "./convert-device.ts";
import { fromProtoPrice, toProtoPrice } from "./convert-price.ts";
import { fromTimestamp, toTimestamp } from "./convert-time.ts";
import { wordOf } from "./convert-word.ts";
import { ownAccount } from "./own-account.ts";

export type CatalogServiceDeps = SyncPricesDeps &
  GetDeviceRateCardDeps & {
    readonly orm: Orm;
    readonly clock: Clock;
    readonly pageTokens: PageTokens;
    readonly catalogue: LiveCatalogue;
  };

/** Prices and free quotas. */
export function catalogService(deps: CatalogServiceDeps): RpcImpl<typeof CatalogService> {
  return {
    listPrices: async ({ provider, model, pageSize, pageToken }) => {
      const page = await listPrices(deps, { provider, model, pageSize, pageToken });
      return {
        prices: page.rows.map(toProtoPrice),
        nextPageToken: page.nextPageToken,
        lastSyncTime: toTimestamp(page.sync.successMs),
        lastSyncError: page.sync.error,
      };
    },
    setPrice: async ({ requestId, price }) => {
      if (price === undefined) throw fieldError("price", "is missing");
      const stored = await setPrice(deps, {
        requestId,
        price: fromProtoPrice(price),
        effectiveFromMs: fromTimestamp(price.effectiveFrom, "price.effective_from"),
      });
      return { price: toProtoPrice(stored) };
    },
    syncPrices: async (_, { signal }) => await syncPrices(deps, signal),
    listFreeQuotas: async () => ({ rules: (await listFreeQuotas(deps)).map(toProtoRule) }),
    setFreeQuota: async (req) => {
      const period = wordOf(quotaPeriods, QuotaPeriod, req.period);
      const unit = wordOf(freeUnits, FreeUnit, req.unit);
      if (period === undefined) throw fieldError("period", "must be a period");
      if (unit === undefined) throw fieldError("unit", "must be a unit");
      const { service, amount } = req;
      const rule = await setFreeQuota(deps, { service, period, unit, amount });
      return { rule: toProtoRule(rule) };
    },
    setDeviceRates: async ({ requestId, rates }) => {
      if (rates === undefined) throw fieldError("rates", "is missing");
      return {
        rates: toProtoRates(await setDeviceRates(deps, { requestId, ...fromRates(rates) })),
      };
    },
    listDeviceRates: async (req) => {
      const { rows, nextPageToken } = await listDeviceRates(deps, req);
      return { rates: rows.map(toProtoRates), nextPageToken };
    },
    getDeviceRateCard: async ({ accountId }, { caller }) => {
      const { id, json } = await getDeviceRateCard(deps, ownAccount(caller, accountId));
      return { rateCardId: id, rateCardJson: json };
    },
    watchCatalog: async function* (_, { signal }) {
      for await (const push of watchCatalog(deps, signal)) yield toProtoPush(push);
    },
  };
}

function toProtoRule({ service, period, unit, amount }: FreeQuotaRule) {
  return { service, period: QuotaPeriod[period], unit: FreeUnit[unit], amount };
}

function toProtoPush(push: CatalogPush) {
  return {
    entries: push.entries.map((entry) => ({
      provider: entry.provider,
      model: entry.model,
      accountCurrency: entry.accountCurrency,
      effectiveFromMs: BigInt(entry.effectiveFromMs),
      priceSnapshotId: new Uint8Array(entry.sheet.id),
      priceSnapshotJson: entry.sheet.json,
    })),
    complete: push.isComplete,
    reset: push.isReset,
    freeQuotas: push.freeQuotas.map(toProtoRule),
  };
}
