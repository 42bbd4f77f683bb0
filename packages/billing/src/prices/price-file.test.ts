import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseFreeQuotaFile } from "./free-quota-file.ts";
import { parsePriceFile } from "./price-file.ts";

describe("a price file", () => {
  it("keeps decimals as they are written, quoted or not", () => {
    const { versions, exchangeRates } = parsePriceFile(`
prices:
  - provider: openai
    model: gpt-4o-mini
    input: 0.15
    output: "0.60"
    cache_read: 0.07500000000000000001
    request: 3
    context_tokens: 128000
    effective_from: 2026-01-01
    tiers:
      - above_input_tokens: 200000
        input: 0.3
exchange_rates:
  - {from: USD, to: EUR, rate: 0.92}
`);
    assert.deepEqual(exchangeRates, [{ from: "USD", to: "EUR", rate: "0.92" }]);
    assert.deepEqual(versions, [
      {
        effectiveFromMs: Date.parse("2026-01-01"),
        price: {
          provider: "openai",
          model: "gpt-4o-mini",
          currency: "USD",
          effectiveFrom: "2026-01-01T00:00:00.000Z",
          source: "override",
          contextTokens: 128_000,
          maxOutputTokens: 0,
          rates: {
            input: "0.15",
            output: "0.6",
            cacheRead: "0.07500000000000000001",
            request: "3",
          },
          tiers: [{ aboveInputTokens: 200_000, rates: { input: "0.3" } }],
        },
      },
    ]);
  });

  it("may be empty", () => {
    assert.deepEqual(parsePriceFile(""), { versions: [], exchangeRates: [] });
  });

  // biome-ignore format: a table is read by column
  const faults: [name: string, yaml: string, message: RegExp][] = [
    ["a price without an output", "prices: [{provider: a, model: b, input: 1}]",                           /prices\[0\]\.output is missing/],
    ["a negative price",          "prices: [{provider: a, model: b, input: -1, output: 1}]",               /prices\[0\]\.input must be/],
    ["an exponent",               "prices: [{provider: a, model: b, input: 1e-6, output: 1}]",             /prices\[0\]\.input must be/],
    ["a field it does not know",  "prices: [{provider: a, model: b, input: 1, output: 1, outptu: 2}]",     /prices\[0\]\.outptu is not a known field/],
    ["another source",            "prices: [{provider: a, model: b, input: 1, output: 1, source: bundled}]", /prices\[0\]\.source/],
    ["a rate of nothing",         "exchange_rates: [{from: USD, to: EUR, rate: 0}]",                       /exchange_rates\[0\]\.rate must be above 0/],
    ["a rate to itself",          "exchange_rates: [{from: USD, to: USD, rate: 1}]",                       /exchange_rates\[0\]\.to/],
    ["one pair twice",            "exchange_rates: [{from: USD, to: EUR, rate: 1}, {from: USD, to: EUR, rate: 2}]", /one pair twice/],
    ["what is not YAML",          "prices: [",                                                             /./],
    ["a list of prices on top",   "- provider: a",                                                         /must be a record/],
  ];
  for (const [name, yaml, message] of faults) {
    it(`refuses ${name}, naming the field`, () => {
      assert.throws(() => parsePriceFile(yaml), message);
    });
  }
});

describe("a free quota file", () => {
  it("states rules by service", () => {
    const yaml = "free_quotas: [{service: llm, period: day, unit: requests, amount: 100}]";
    assert.deepEqual(parseFreeQuotaFile(yaml), [
      { service: "llm", period: "DAY", unit: "REQUESTS", amount: 100n },
    ]);
  });

  // biome-ignore format: a table is read by column
  const faults: [name: string, yaml: string, message: RegExp][] = [
    ["a period it does not know", "free_quotas: [{service: llm, period: year, unit: requests, amount: 1}]",  /free_quotas\[0\]\.period/],
    ["a unit it does not know",   "free_quotas: [{service: llm, period: day, unit: words, amount: 1}]",      /free_quotas\[0\]\.unit/],
    ["a negative amount",         "free_quotas: [{service: llm, period: day, unit: tokens, amount: -1}]",    /free_quotas\[0\]\.amount/],
    ["a broken amount",           "free_quotas: [{service: llm, period: day, unit: tokens, amount: 1.5}]",   /free_quotas\[0\]\.amount/],
    ["one service twice",         "free_quotas: [{service: a, period: day, unit: tokens, amount: 1}, {service: a, period: week, unit: tokens, amount: 1}]", /one service twice/],
  ];
  for (const [name, yaml, message] of faults) {
    it(`refuses ${name}, naming the field`, () => {
      assert.throws(() => parseFreeQuotaFile(yaml), message);
    });
  }
});
