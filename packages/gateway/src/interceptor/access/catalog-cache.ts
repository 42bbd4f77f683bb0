import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";
import { type CompiledPrice, compilePrice } from "@farebox/pricing/compiled-price";
import { isModelPattern } from "@farebox/pricing/model-pattern";
import { parseSnapshot } from "@farebox/pricing/snapshot";
import type {
  CatalogEntry,
  WatchCatalogResponse,
} from "@farebox/proto/farebox/billing/v1/catalog_service";
import { billingUnavailable } from "../lease/refuse-call.ts";
import { findPricedName } from "./find-priced-name.ts";

/** What the copy of the catalogue needs. */
export type CatalogCacheDeps = {
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether Billing answers: a copy that is old although it does is a fault, and refuses. */
  readonly isReachable: () => boolean;
  readonly hasLease: (accountId: string) => boolean;
};

/** A price, ready to charge with. */
export type CatalogPrice = {
  readonly price: CompiledPrice;
  /** The 16 bytes of the snapshot's id. */
  readonly snapshotId: Buffer;
  readonly effectiveFromMs: number;
};

/** What a price is looked up by. */
export type PriceQuery = {
  readonly accountId: string;
  readonly provider: string;
  readonly model: string;
  readonly currency: string;
  /** When the call arrived; prices to come do not apply to it. */
  readonly atMs: number;
};

/** The gateway's copy of the catalogue, pushed by Billing. Prices are compiled when they are first used. */
export class CatalogCache {
  readonly #deps: CatalogCacheDeps;
  #prices: PriceTable | undefined;
  /** A catalogue that replaces the copy once it is complete. */
  #arriving: PriceTable | undefined;
  #beatMs = Number.NEGATIVE_INFINITY;
  /** What models resolve to, so that patterns are tried once a model. Emptied by every change. */
  readonly #byModel = new Map<string, CurrencyTable | undefined>();

  constructor(deps: CatalogCacheDeps) {
    this.#deps = deps;
  }

  /** Whether a whole catalogue has arrived. */
  get isComplete(): boolean {
    return this.#prices !== undefined;
  }

  /**
   * The price of a model for accounts of a currency, at a time. Throws MODEL_NOT_PRICED, or BILLING_UNAVAILABLE when the copy
   * may be out of date: older than a minute, unless Billing is not reachable and the account's lease is still open.
   */
  find(query: PriceQuery): CatalogPrice {
    const prices = this.#prices;
    if (prices === undefined || !this.#isUsable(query.accountId)) throw billingUnavailable();
    const versions = this.#pricesOf(prices, query)?.get(query.currency);
    // Newest first: nearly always the first one applies.
    const version = versions?.find(({ effectiveFromMs }) => effectiveFromMs <= query.atMs);
    const price = version && this.#compiled(version);
    if (version === undefined || price === undefined) {
      const { provider, model } = query;
      throw new AppError("MODEL_NOT_PRICED", undefined, { metadata: { provider, model } });
    }
    return price;
  }

  /** Every model with a price for accounts of a currency, by the provider's name; empty while the copy is missing. */
  models(currency: string): readonly { readonly provider: string; readonly model: string }[] {
    const listed: { readonly provider: string; readonly model: string }[] = [];
    for (const [provider, models] of this.#prices ?? []) {
      for (const [model, currencies] of models) {
        if (currencies.has(currency) && !isModelPattern(model)) listed.push({ provider, model });
      }
    }
    return listed;
  }

  /** Takes a part of the catalogue, or a heartbeat. */
  take(message: WatchCatalogResponse): void {
    this.#beatMs = this.#deps.clock.monotonicMs();
    if (message.reset) this.#arriving = new Map();
    const table = this.#arriving ?? this.#prices;
    if (message.entries.length > 0 || message.complete) this.#byModel.clear();
    if (table !== undefined) for (const entry of message.entries) addEntry(table, entry);
    if (message.complete && this.#arriving !== undefined) {
      this.#prices = this.#arriving;
      this.#arriving = undefined;
    }
  }

  #isUsable(accountId: string): boolean {
    const { clock, isReachable, hasLease } = this.#deps;
    if (clock.monotonicMs() - this.#beatMs <= beatMsMax) return true;
    return !isReachable() && hasLease(accountId);
  }

  #pricesOf(prices: PriceTable, { provider, model }: PriceQuery): CurrencyTable | undefined {
    const exact = prices.get(provider)?.get(model);
    if (exact !== undefined) return exact;
    const key = `${provider}\n${model}`;
    const known = this.#byModel.get(key);
    if (known !== undefined || this.#byModel.has(key)) return known;
    // Model names come from clients: nonsense must not grow this process.
    if (this.#byModel.size >= byModelMax) this.#byModel.clear();
    const found = findPricedName(prices, provider, model);
    this.#byModel.set(key, found);
    return found;
  }

  #compiled(version: PriceVersion): CatalogPrice | undefined {
    if (version.compiled !== undefined) return version.compiled;
    const { snapshotId, effectiveFromMs } = version;
    try {
      const price = compilePrice(parseSnapshot(version.json));
      version.compiled = { price, snapshotId, effectiveFromMs };
    } catch (error) {
      this.#deps.log.error({ event: "catalog.price_unreadable", err: error });
    }
    return version.compiled;
  }
}

/** By provider, model and account currency. */
type PriceTable = Map<string, ModelTable>;
type ModelTable = Map<string, CurrencyTable>;
type CurrencyTable = Map<string, PriceVersion[]>;

type PriceVersion = {
  readonly effectiveFromMs: number;
  readonly snapshotId: Buffer;
  readonly json: string;
  compiled: CatalogPrice | undefined;
};

/** Adds a version in order of time, in place of one of the same time. */
function addEntry(table: PriceTable, entry: CatalogEntry): void {
  const models: ModelTable = emplace(table, entry.provider, () => new Map());
  const currencies: CurrencyTable = emplace(models, entry.model, () => new Map());
  const versions = emplace<string, PriceVersion[]>(currencies, entry.accountCurrency, () => []);
  const version: PriceVersion = {
    effectiveFromMs: Number(entry.effectiveFromMs),
    snapshotId: Buffer.from(entry.priceSnapshotId),
    json: entry.priceSnapshotJson,
    compiled: undefined,
  };
  const at = versions.findIndex((other) => other.effectiveFromMs <= version.effectiveFromMs);
  const isSame = versions[at]?.effectiveFromMs === version.effectiveFromMs;
  versions.splice(at === -1 ? versions.length : at, isSame ? 1 : 0, version);
}

function emplace<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

const beatMsMax = 60_000;
const byModelMax = 10_000;
