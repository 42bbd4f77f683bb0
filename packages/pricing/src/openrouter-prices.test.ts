import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readOpenRouterModels } from "./openrouter-prices.ts";
import { PriceError } from "./price-error.ts";

const pulledAt = "2026-11-21T03:00:00.000Z";

function model(id: string, pricing: Readonly<Record<string, unknown>>) {
  return {
    id,
    name: "A model",
    created: 1_760_000_000,
    context_length: 128_000,
    architecture: { modality: "text->text" },
    top_provider: { context_length: 128_000, max_completion_tokens: 16_384, is_moderated: true },
    pricing: { prompt: "0.00000015", completion: "0.0000006", ...pricing },
  };
}

function read(...data: readonly unknown[]) {
  return readOpenRouterModels({ data }, pulledAt);
}

describe("readOpenRouterModels", () => {
  it("turns per-token prices into per-million ones, exactly", () => {
    const { prices, skipped } = read(
      model("anthropic/claude-sonnet", {
        prompt: "0.000003",
        completion: "0.000015",
        request: "0.0005",
        image: "0.0048",
        web_search: "0.01",
        internal_reasoning: "0.0000225",
        input_cache_read: "3e-7",
        input_cache_write: "0.00000375",
        input_cache_write_1h: "0.000006",
        audio: "0.00001",
        audio_output: "0.00002",
        discount: 0,
      }),
    );
    assert.deepEqual(skipped, []);
    assert.deepEqual(prices, [
      {
        provider: "openrouter",
        model: "anthropic/claude-sonnet",
        currency: "USD",
        effectiveFrom: pulledAt,
        source: "openrouter",
        contextTokens: 128_000,
        maxOutputTokens: 16_384,
        rates: {
          input: "3",
          output: "15",
          cacheRead: "0.3",
          cacheWrite: "3.75",
          cacheWrite1h: "6",
          reasoning: "22.5",
          audioInput: "10",
          audioOutput: "20",
          request: "0.0005",
        },
        tiers: [],
      },
    ]);
  });

  it("multiplies by a million without losing a digit", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 18n), (digits) => {
        const perToken = `0.${digits.toString().padStart(20, "0")}`;
        const [price] = read(model("a/b", { prompt: perToken })).prices;
        const [whole = "", decimals = ""] = (price?.rates.input ?? "").split(".");
        assert.equal(BigInt(whole + decimals.padEnd(14, "0")), digits);
      }),
    );
  });

  it("takes an optional price of nothing as not priced apart, and a free model as free", () => {
    const zeros = {
      request: "0",
      image: "0",
      web_search: "0",
      internal_reasoning: "0",
      input_cache_read: "0",
      input_cache_write: "0",
    };
    const { prices } = read(
      model("paid/model", zeros),
      model("free/model:free", { ...zeros, prompt: "0", completion: "0" }),
    );
    assert.deepEqual(
      prices.map((price) => price.rates),
      [
        { input: "0.15", output: "0.6", request: "0" },
        { input: "0", output: "0", request: "0" },
      ],
    );
  });

  it("turns prices for long prompts into tiers, the later entry winning price by price", () => {
    const { prices, skipped } = read(
      model("long/prompts", {
        overrides: [
          { min_prompt_tokens: 32_000, prompt: "0.0000002", completion: "0.000001" },
          { min_prompt_tokens: 128_000, prompt: "0.0000005", input_cache_read: "0.0000001" },
          { min_prompt_tokens: 256_000, input_audio_cache: "0.1" },
        ],
      }),
    );
    assert.deepEqual(skipped, []);
    assert.deepEqual(prices[0]?.tiers, [
      { aboveInputTokens: 32_000, rates: { input: "0.2", output: "1" } },
      { aboveInputTokens: 128_000, rates: { input: "0.5", output: "1", cacheRead: "0.1" } },
    ]);
  });

  it("knows that limits may be unknown", () => {
    const unlimited = { ...model("a/b", {}), context_length: null, top_provider: null };
    const [price] = read(unlimited).prices;
    assert.deepEqual([price?.contextTokens, price?.maxOutputTokens], [0, 0]);
  });

  // biome-ignore format: a table is read by column
  const skips: [name: string, model: unknown, why: RegExp][] = [
    ["a price that varies",                 model("a/b", { prompt: "-1", completion: "-1" }),      /^prompt varies$/],
    ["a price per million called per token", model("a/b", { prompt: "3" }),                        /^prompt is 3000000 per million tokens: wrong unit\?$/],
    ["image tokens priced apart",           model("a/b", { image_output: "0.00003" }),             /^image_output is not metered$/],
    ["a fee we have never heard of",        model("a/b", { video: "0.1" }),                        /^video is not metered$/],
    ["a price by the time of day",          model("a/b", { overrides: [{ utc_start: 100, utc_end: 400, prompt: "0" }] }), /^the price depends on utc_start$/],
    ["an override without a condition",     model("a/b", { overrides: [{ prompt: "0.1" }] }),      /^an override has no min_prompt_tokens$/],
    ["a price that is a number",            model("a/b", { prompt: 0.1 }),                         /^prompt is not a decimal string$/],
    ["a price that is a word",              model("a/b", { completion: "free" }),                  /^completion is not a decimal string$/],
    ["no completion price",                 model("a/b", { completion: null }),                    /^output is missing$/],
    ["no pricing",                          { id: "a/b" },                                         /^has no pricing$/],
    ["no id",                               { ...model("a/b", {}), id: undefined },                /^model is missing$/],
  ];
  for (const [name, entry, why] of skips) {
    it(`skips ${name}, says why, and reads the rest`, () => {
      const { prices, skipped } = read(entry, model("good/model", {}));
      assert.deepEqual(
        prices.map((price) => price.model),
        ["good/model"],
      );
      assert.equal(skipped.length, 1);
      assert.match(skipped[0]?.why ?? "", why);
    });
  }

  it("lists a model once", () => {
    const { prices, skipped } = read(model("a/b", {}), model("a/b", { prompt: "1e-9" }));
    assert.deepEqual(
      [prices.map((price) => price.rates.input), skipped],
      [["0.15"], [{ id: "a/b", why: "listed twice" }]],
    );
  });

  it("refuses what is no listing, so that a failed pull keeps the last good prices", () => {
    const huge = { data: new Array(20_001).fill(model("a/b", {})) };
    for (const json of [undefined, null, [], {}, { data: [] }, { data: {} }, { error: {} }, huge]) {
      assert.throws(() => readOpenRouterModels(json, pulledAt), PriceError);
    }
  });
});
