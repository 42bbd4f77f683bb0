import {
  comparePatterns,
  isModelPattern,
  matchesModelPattern,
} from "@farebox/pricing/model-pattern";
import type { Price, PriceSource } from "@farebox/pricing/price";

/** A price with the instants that its source gives it. */
export type PriceVersion = {
  readonly price: Price;
  readonly effectiveFromMs: number;
};

/** Another name for a model, exact or a pattern: what is priced under `model` of `modelProvider` is priced under it too. */
export type ModelAlias = {
  readonly provider: string;
  readonly name: string;
  readonly modelProvider: string;
  readonly model: string;
};

/** Everything that prices come from. Among versions of one source and instant, the later in the list counts. */
export type PriceSources = {
  readonly versions: Readonly<Record<PriceSource, readonly PriceVersion[]>>;
  readonly aliases: readonly ModelAlias[];
};

/** The prices of one name from some instant on, oldest first, each until the next. */
export type PriceTimeline = readonly PriceVersion[];

/** Every name that has a price. A name is exact, or a pattern that stands for the names which nothing spells out. */
export type PriceBook = readonly {
  readonly provider: string;
  readonly name: string;
  readonly timeline: PriceTimeline;
}[];

const sourceOrder = ["override", "openrouter", "bundled"] as const satisfies readonly PriceSource[];

/**
 * Decides what every name costs and when. An earlier source hides a later one from the moment its first version applies;
 * within a source the newest version that applies counts. Within a source a name's own versions come first, then those
 * of a pattern that matches it, then those of the model that it is another name for. So an operator who overrides
 * `gpt-4o-mini` has overridden its dated names too, and one who overrides `gpt-*` all of them.
 *
 * A timeline begins with the version in force at `nowMs`, and states a version at every later instant at which any source
 * has one, even when it stays the same, so that a copy which merges timelines by instant ends up equal.
 */
export function makePriceBook(sources: PriceSources, nowMs: number): PriceBook {
  const shelves = sourceOrder.map((source) => shelve(sources.versions[source]));
  const aliases = new Map(
    sources.aliases.map((alias) => [keyOf(alias.provider, alias.name), alias]),
  );
  const names = new Map<string, readonly [provider: string, name: string]>();
  for (const shelf of shelves) {
    for (const [key, [first]] of shelf.byName) {
      if (first) names.set(key, [first.price.provider, first.price.model]);
    }
  }
  for (const [key, alias] of aliases) names.set(key, [alias.provider, alias.name]);
  const book: { provider: string; name: string; timeline: PriceTimeline }[] = [];
  for (const [key, [provider, name]] of names) {
    const candidates = shelves.map((shelf) =>
      versionsOn(shelf, { provider, name, alias: aliases.get(key) }),
    );
    const timeline = mergeTimelines(candidates, nowMs);
    if (timeline.length > 0) book.push({ provider, name, timeline });
  }
  return book;
}

/** Sorts names as lists show them and as readers try them: exact ones and patterns by provider. */
export function patternsOf(book: PriceBook): ReadonlyMap<string, PriceBook> {
  const patterns = new Map<string, PriceBook[number][]>();
  for (const entry of book) {
    if (!isModelPattern(entry.name)) continue;
    const list = patterns.get(entry.provider) ?? [];
    list.push(entry);
    patterns.set(entry.provider, list);
  }
  for (const list of patterns.values()) list.sort((a, b) => comparePatterns(a.name, b.name));
  return patterns;
}

/** The version of a timeline at an instant; undefined before its first. */
export function versionAt(timeline: PriceTimeline, atMs: number): PriceVersion | undefined {
  return timeline.findLast((version) => version.effectiveFromMs <= atMs);
}

/** The versions of one source, oldest first, by name; patterns once more, as they are tried. */
type Shelf = {
  readonly byName: ReadonlyMap<string, readonly PriceVersion[]>;
  readonly patterns: readonly PriceVersion["price"][];
};

function shelve(versions: readonly PriceVersion[]): Shelf {
  const byName = new Map<string, PriceVersion[]>();
  for (const version of versions) {
    const key = keyOf(version.price.provider, version.price.model);
    const list = byName.get(key);
    if (list) list.push(version);
    else byName.set(key, [version]);
  }
  const patterns: PriceVersion["price"][] = [];
  for (const list of byName.values()) {
    list.sort((a, b) => a.effectiveFromMs - b.effectiveFromMs);
    const first = list[0]?.price;
    if (first && isModelPattern(first.model)) patterns.push(first);
  }
  patterns.sort((a, b) => comparePatterns(a.model, b.model));
  return { byName, patterns };
}

function versionsOn(
  shelf: Shelf,
  name: { provider: string; name: string; alias: ModelAlias | undefined },
): readonly PriceVersion[] {
  const own = shelf.byName.get(keyOf(name.provider, name.name));
  if (own) return own;
  const pattern = shelf.patterns.find(
    (it) => it.provider === name.provider && matchesModelPattern(it.model, name.name),
  );
  if (pattern) return shelf.byName.get(keyOf(pattern.provider, pattern.model)) ?? [];
  if (!name.alias) return [];
  return shelf.byName.get(keyOf(name.alias.modelProvider, name.alias.model)) ?? [];
}

function mergeTimelines(
  candidates: readonly (readonly PriceVersion[])[],
  nowMs: number,
): PriceTimeline {
  const instants = new Set(candidates.flat().map((version) => version.effectiveFromMs));
  const ordered = [...instants].sort((a, b) => a - b);
  const current = ordered.findLastIndex((instant) => instant <= nowMs);
  return ordered.slice(Math.max(current, 0)).flatMap((effectiveFromMs) => {
    for (const versions of candidates) {
      const version = versionAt(versions, effectiveFromMs);
      if (version) return [{ price: version.price, effectiveFromMs }];
    }
    return [];
  });
}

/** One text for a provider and a name; neither holds a line break. */
export function keyOf(provider: string, name: string): string {
  return `${provider}\n${name}`;
}
