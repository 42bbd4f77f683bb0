import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";
import type { FreeQuotaRule } from "../domain/free-quota.ts";
import { makePriceBook, type PriceVersion } from "../domain/price-book.ts";
import type { ExchangeRate } from "../domain/price-terms.ts";
import type { StoredPrice } from "../store/price-store.ts";
import { createFanOut, type FanOut, type Subscription } from "../watch/fan-out.ts";
import type { BundledPrices } from "./bundled-prices.ts";
import type { PriceFile } from "./price-file.ts";
import {
  type CatalogueEntry,
  makeCatalogue,
  type PricedCatalogue,
  type PriceQuery,
} from "./priced-catalogue.ts";
import { createSnapshotShelf, type PriceSheet, type SnapshotShelf } from "./snapshot-shelf.ts";

/** Where the catalogue is kept; the store behind it is passed in. */
export type CatalogueStore = {
  loadVersions(nowMs: number): Promise<readonly StoredPrice[]>;
  versionsSince(sinceMs: number): Promise<readonly StoredPrice[]>;
  freeQuotaRules(): Promise<readonly FreeQuotaRule[]>;
  /** Must be durable before it resolves: a price is never pushed or quoted before its snapshot is kept. */
  saveSnapshots(sheets: readonly PriceSheet[]): Promise<void>;
};

/** What is new in the catalogue. */
export type CatalogueChange = {
  readonly entries: readonly CatalogueEntry[];
  /** All rules, when one has changed. */
  readonly freeQuotas: readonly FreeQuotaRule[] | undefined;
};

/** What the catalogue of a process is made of. */
export type CatalogueDeps = {
  readonly store: CatalogueStore;
  readonly bundled: BundledPrices;
  readonly file: PriceFile;
  readonly clock: Clock;
  readonly log: Logger;
};

const pollMs = 1_000;
/** How far back each poll looks again, for versions that were committed late or by a process with another clock. */
const overlapMs = 60_000;
const queuedMax = 1_000;

/** The catalogue of one billing process, kept current until it is disposed. Open it with `LiveCatalogue.open`. */
export class LiveCatalogue implements AsyncDisposable {
  readonly #deps: CatalogueDeps;
  readonly #shelf: SnapshotShelf = createSnapshotShelf();
  readonly #fanOut: FanOut<CatalogueChange> = createFanOut(queuedMax);
  readonly #closing = new AbortController();
  readonly #stored = new Map<string, StoredPrice>();
  /** The snapshots that MySQL is known to keep, by id. */
  readonly #saved = new Set<string>();
  #current: PricedCatalogue;
  #rules: readonly FreeQuotaRule[] = [];
  #readUpToMs: number;
  #currentToMs = Number.NEGATIVE_INFINITY;
  /** One reading at a time: a refresh waits for the poll that runs, then reads once more. */
  #turn: Promise<void> = Promise.resolve();
  #polling: Promise<void> = Promise.resolve();

  private constructor(deps: CatalogueDeps) {
    this.#deps = deps;
    this.#readUpToMs = deps.clock.nowMs();
    this.#current = makeCatalogue([], [], this.#shelf);
  }

  /** Reads every source, stores the snapshots, and from then on asks MySQL every second what is new. */
  static async open(deps: CatalogueDeps): Promise<LiveCatalogue> {
    const catalogue = new LiveCatalogue(deps);
    for (const version of await deps.store.loadVersions(deps.clock.nowMs())) {
      catalogue.#stored.set(version.id, version);
    }
    await catalogue.#rebuild();
    await catalogue.refresh();
    catalogue.#polling = catalogue.#pollUntilClosed();
    return catalogue;
  }

  /** The prices for a model. Errors: MODEL_NOT_PRICED, EXCHANGE_RATE_MISSING. */
  price(query: PriceQuery): PriceSheet {
    return this.#current.price(query);
  }

  current(): PricedCatalogue {
    return this.#current;
  }

  /** The free quota rules, by service; those that have ended too. */
  freeQuotas(): readonly FreeQuotaRule[] {
    return this.#rules;
  }

  /** How much of one currency another is sold for. */
  exchangeRates(): readonly ExchangeRate[] {
    return this.#deps.file.exchangeRates;
  }

  /** Every change after what `current` and `freeQuotas` return at the moment of the call. */
  subscribe(): Subscription<CatalogueChange> {
    return this.#fanOut.subscribe();
  }

  /** By the monotonic clock, when the last reading of MySQL that succeeded began. */
  currentToMs(): number {
    return this.#currentToMs;
  }

  /** Reads MySQL now instead of within a second: after a write, so that its caller sees it at once. */
  refresh(): Promise<void> {
    const next = this.#turn.catch(() => undefined).then(() => this.#poll());
    this.#turn = next;
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#polling;
    await this.#turn.catch(() => undefined);
  }

  async #pollUntilClosed(): Promise<void> {
    const { clock, log } = this.#deps;
    while (!this.#closing.signal.aborted) {
      await clock.sleep(pollMs, this.#closing.signal).catch(() => undefined);
      if (this.#closing.signal.aborted) return;
      await this.refresh().catch((err) => log.warn({ event: "catalogue.poll_failed", err }));
    }
  }

  async #poll(): Promise<void> {
    const { clock, store } = this.#deps;
    const beganMs = clock.monotonicMs();
    const nowMs = clock.nowMs();
    const found = await store.versionsSince(Math.min(this.#readUpToMs, nowMs) - overlapMs);
    const rules = await store.freeQuotaRules();
    const added = found.filter((version) => !this.#stored.has(version.id));
    const entries = added.length > 0 ? await this.#add(added) : [];
    const freeQuotas = isSame(this.#rules, rules) ? undefined : rules;
    this.#rules = rules;
    this.#readUpToMs = nowMs;
    this.#currentToMs = beganMs;
    if (entries.length > 0 || freeQuotas) this.#fanOut.publish({ entries, freeQuotas });
  }

  async #add(added: readonly StoredPrice[]): Promise<readonly CatalogueEntry[]> {
    for (const version of added) this.#stored.set(version.id, version);
    try {
      return await this.#rebuild();
    } catch (error) {
      // What could not be published is read again by the next poll.
      for (const version of added) this.#stored.delete(version.id);
      throw error;
    }
  }

  async #rebuild(): Promise<readonly CatalogueEntry[]> {
    const { bundled, file, clock, store } = this.#deps;
    const versions = sourcesOf([...this.#stored.values()], file, bundled);
    const book = makePriceBook({ versions, aliases: bundled.aliases }, clock.nowMs());
    const next = makeCatalogue(book, file.exchangeRates, this.#shelf);
    const unsaved = new Map<string, PriceSheet>();
    for (const { sheet } of next.entries) {
      const name = sheet.id.toString("latin1");
      if (!this.#saved.has(name)) unsaved.set(name, sheet);
    }
    await store.saveSnapshots([...unsaved.values()]);
    for (const name of unsaved.keys()) this.#saved.add(name);
    const changed = changedEntries(this.#current, next);
    this.#current = next;
    return changed;
  }
}

/** The sources in the order of their versions: the file first, so that a version set by a call wins at the same instant. */
function sourcesOf(stored: readonly StoredPrice[], file: PriceFile, bundled: BundledPrices) {
  const of = (source: string): readonly PriceVersion[] =>
    stored.filter((version) => version.price.source === source);
  return {
    override: [...file.versions, ...of("override")],
    openrouter: of("openrouter"),
    bundled: bundled.versions,
  };
}

/** The entries that are new, or whose prices are. */
function changedEntries(
  before: PricedCatalogue,
  after: PricedCatalogue,
): readonly CatalogueEntry[] {
  const nameOf = (it: CatalogueEntry) =>
    `${it.provider}\n${it.model}\n${it.accountCurrency}\n${it.effectiveFromMs}`;
  const known = new Map(before.entries.map((it) => [nameOf(it), it.sheet]));
  return after.entries.filter((it) => known.get(nameOf(it))?.json !== it.sheet.json);
}

function isSame(a: readonly FreeQuotaRule[], b: readonly FreeQuotaRule[]): boolean {
  return (
    a.length === b.length &&
    a.every((rule, index) => {
      const other = b[index];
      return (
        other?.service === rule.service &&
        other.period === rule.period &&
        other.unit === rule.unit &&
        other.amount === rule.amount
      );
    })
  );
}
