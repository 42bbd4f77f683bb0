import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { charge } from "@farebox/pricing/charge";
import { isModelPattern } from "@farebox/pricing/model-pattern";
import { noUsage, type Usage } from "@farebox/pricing/usage";
import { calcPrice } from "@pydantic/genai-prices";
import { makePriceBook } from "../domain/price-book.ts";
import { type BundledPrices, loadBundledPrices } from "./bundled-prices.ts";
import { makeCatalogue, type PricedCatalogue } from "./priced-catalogue.ts";
import { createSnapshotShelf } from "./snapshot-shelf.ts";

const atMs = Date.parse("2026-11-21T12:00:00Z");
let bundled: BundledPrices;
let catalogue: PricedCatalogue;

before(async () => {
  bundled = await loadBundledPrices();
  const versions = { override: [], openrouter: [], bundled: bundled.versions };
  const book = makePriceBook({ versions, aliases: bundled.aliases }, atMs);
  catalogue = makeCatalogue(book, [], createSnapshotShelf());
});

const sheetOf = (provider: string, model: string) =>
  catalogue.price({ provider, model, currency: "USD", atMs });

describe("the bundled prices", () => {
  // Figures of the providers' own price pages, dollars per million tokens.
  // biome-ignore format: a table is read by column
  const published: [provider: string, model: string, rates: Record<string, string>][] = [
    ["openai",    "gpt-4o-mini",                { input: "0.15", cacheRead: "0.075", output: "0.6", reasoning: "0.6" }],
    ["openai",    "gpt-4o-mini-2024-07-18",     { input: "0.15", cacheRead: "0.075", output: "0.6" }],
    ["openai",    "gpt-4o",                     { input: "2.5", cacheRead: "1.25", output: "10" }],
    ["openai",    "gpt-4o-2024-05-13",          { input: "5", cacheRead: "5", output: "15" }],
    ["openai",    "text-embedding-3-small",     { input: "0.02", output: "0" }],
    ["anthropic", "claude-sonnet-4-20250514",   { input: "3", cacheRead: "0.3", cacheWrite: "3.75", cacheWrite1h: "6", output: "15" }],
    ["anthropic", "claude-3-5-haiku-20241022",  { input: "0.8", cacheRead: "0.08", cacheWrite: "1", output: "4" }],
    ["anthropic", "claude-haiku-4-5-20251001",  { input: "1", cacheRead: "0.1", cacheWrite: "1.25", cacheWrite1h: "2", output: "5" }],
    ["google",    "gemini-2.5-flash",           { input: "0.3", output: "2.5" }],
  ];
  for (const [provider, model, rates] of published) {
    it(`sell ${provider} ${model} at its published price`, () => {
      const { snapshot } = sheetOf(provider, model);
      const found = Object.fromEntries(
        Object.entries(snapshot.rates).filter(([name]) => Object.hasOwn(rates, name)),
      );
      assert.deepEqual(found, rates);
    });
  }

  it("raise long prompts of a tiered model as a whole", () => {
    const { snapshot } = sheetOf("google", "gemini-2.5-pro");
    assert.deepEqual(
      snapshot.tiers.map((tier) => [tier.aboveInputTokens, tier.rates.input, tier.rates.output]),
      [[200_000, "2.5", "15"]],
    );
    assert.equal(snapshot.rates.input, "1.25");
  });

  it("charge what the package itself computes, for every model that has a price of tokens alone", () => {
    const usage: Usage = {
      ...noUsage,
      inputTokens: 1_000,
      cacheReadTokens: 500,
      outputTokens: 300,
    };
    const asked = { input_tokens: 1_500, cache_read_tokens: 500, output_tokens: 300 };
    let compared = 0;
    for (const { price } of bundled.versions) {
      const { provider, model } = price;
      const timestamp = new Date(atMs);
      const theirs = calcPrice(asked, model, { providerId: provider, timestamp });
      const isOurs = theirs?.model.id === model && theirs.provider.id === provider;
      const varies = Array.isArray(theirs?.model.prices);
      if (!isOurs || varies || price.rates.request) continue;
      const ours = charge(sheetOf(provider, model).compiled(), usage);
      // The package computes in floats, and rounds nothing up.
      const difference = Number(ours) - theirs.total_price * 1e9;
      assert.ok(difference > -0.01 && difference < 1.01, `${provider}/${model}: ${difference}`);
      compared += 1;
    }
    assert.ok(compared > 1_000, `only ${compared} compared`);
  });

  it("know every name that the package knows, as the same model", () => {
    const skipped = new Set(bundled.skipped.map(({ id }) => id));
    let compared = 0;
    for (const { provider, price } of namesOf(catalogue)) {
      for (const name of spellings(price)) {
        const theirs = calcPrice({}, name, { providerId: provider });
        if (!theirs || skipped.has(`${provider}/${theirs.model.id}`)) continue;
        assert.equal(
          sheetOf(provider, name).snapshot.model,
          theirs.model.id,
          `${provider}/${name}`,
        );
        compared += 1;
      }
    }
    assert.ok(compared > 3_000, `only ${compared} compared`);
  });

  it("leave out what they cannot meter, rather than sell it too cheap", () => {
    const why = new Map(bundled.skipped.map((it) => [it.id, it.why]));
    assert.match(why.get("openai/gpt-image-1") ?? "", /input_image_mtok/);
    assert.match(why.get("openai/whisper-1") ?? "", /no token price/);
    assert.throws(() => sheetOf("openai", "whisper-1"), { reason: "MODEL_NOT_PRICED" });
    assert.throws(() => sheetOf("openai", "gpt-99-unheard-of"), { reason: "MODEL_NOT_PRICED" });
  });
});

function namesOf({ versions }: PricedCatalogue) {
  return versions.map(({ price }) => ({ provider: price.provider, price: price.model }));
}

/** Names that a pattern stands for: bare, dated and latest. */
function spellings(name: string): readonly string[] {
  if (!isModelPattern(name)) return [name];
  return ["", "-20250101", "-latest"].map((end) => name.replaceAll("*", end).replaceAll("?", "2"));
}
