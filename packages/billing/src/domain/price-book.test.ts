import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Price, type PriceSource, parsePrice } from "@farebox/pricing/price";
import { type ModelAlias, makePriceBook, type PriceSources } from "./price-book.ts";

const nowMs = 1_000_000;

type Given = readonly [source: PriceSource, name: string, input: string, fromMs: number];

const aliases: readonly ModelAlias[] = [
  { provider: "p", name: "model-2024", modelProvider: "p", model: "model" },
  { provider: "p", name: "model-*", modelProvider: "p", model: "model" },
  { provider: "reseller", name: "model", modelProvider: "p", model: "model" },
];

// biome-ignore format: a decision table is read by column
const cases: [name: string, asked: string, given: Given[], want: [input: string, fromMs: number][]][] = [
  ["has the only price there is",             "p/model", [["bundled", "model", "1", 0]],                                          [["1", 0]]],
  ["has no price under an unknown name",      "p/other", [["bundled", "model", "1", 0]],                                          []],
  ["takes an override before a pull",         "p/model", [["openrouter", "model", "2", 0], ["override", "model", "3", 0]],        [["3", 0]]],
  ["takes a pull before the package",         "p/model", [["bundled", "model", "1", 0], ["openrouter", "model", "2", 5]],         [["2", 5]]],
  ["takes an older override before a newer pull", "p/model", [["openrouter", "model", "2", 9], ["override", "model", "3", 5]],    [["3", 9]]],
  ["takes the newest version of a source",    "p/model", [["override", "model", "3", 5], ["override", "model", "4", 6]],          [["4", 6]]],
  ["takes the later of two at one instant",   "p/model", [["override", "model", "3", 5], ["override", "model", "4", 5]],          [["4", 5]]],
  ["knows a price to come",                   "p/model", [["bundled", "model", "1", 0], ["override", "model", "3", nowMs + 1]],   [["1", 0], ["3", nowMs + 1]]],
  ["has a price only from when it applies",   "p/model", [["override", "model", "3", nowMs + 1]],                                 [["3", nowMs + 1]]],
  ["states an instant at which nothing changes", "p/model", [["override", "model", "3", 5], ["bundled", "model", "1", nowMs + 9]], [["3", 5], ["3", nowMs + 9]]],
  ["prices a dated name as its model",        "p/model-2024", [["bundled", "model", "1", 0]],                                     [["1", 0]]],
  ["overrides a dated name with its model",   "p/model-2024", [["bundled", "model", "1", 0], ["override", "model", "3", 0]],      [["3", 0]]],
  ["lets a dated name's own override win",    "p/model-2024", [["override", "model", "3", 0], ["override", "model-2024", "5", 0]], [["5", 0]]],
  ["applies an overriding pattern to known names", "p/model-2024", [["bundled", "model", "1", 0], ["override", "mod*", "7", 0]],  [["7", 0]]],
  ["applies an overriding pattern to known patterns", "p/model-*", [["bundled", "model", "1", 0], ["override", "mod*", "7", 0]],  [["7", 0]]],
  ["prefers the override of the exact name",  "p/model", [["override", "mod*", "7", 0], ["override", "model", "3", 0]],           [["3", 0]]],
  ["prefers the pattern that says most",      "p/model", [["override", "m*", "7", 0], ["override", "mod*", "8", 0], ["bundled", "model", "1", 0]], [["8", 0]]],
  ["prices a reseller's model as its maker's", "reseller/model", [["bundled", "model", "1", 0]],                                  [["1", 0]]],
  ["keeps the price of another provider apart", "reseller/mod", [["override", "mod", "7", 0]],                                    []],
];

describe("the price book", () => {
  for (const [name, asked, given, want] of cases) {
    it(name, () => {
      const book = makePriceBook(sourcesOf(given), nowMs);
      const entry = book.find((it) => `${it.provider}/${it.name}` === asked);
      const timeline = (entry?.timeline ?? []).map(({ price, effectiveFromMs }) => [
        price.rates.input,
        effectiveFromMs,
      ]);
      assert.deepEqual(timeline, want);
    });
  }
});

function sourcesOf(given: readonly Given[]): PriceSources {
  const of = (source: PriceSource) =>
    given
      .filter(([from]) => from === source)
      .map(([, name, input, fromMs]) => ({
        price: priceOf(source, name, input),
        effectiveFromMs: fromMs,
      }));
  return {
    versions: { override: of("override"), openrouter: of("openrouter"), bundled: of("bundled") },
    aliases,
  };
}

function priceOf(source: PriceSource, model: string, input: string): Price {
  return parsePrice({ provider: "p", model, input, output: "0", source });
}
