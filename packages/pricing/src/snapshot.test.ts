import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { snapshots, usages } from "../testing/arbitraries.ts";
import { charge } from "./charge.ts";
import { compilePrice } from "./compiled-price.ts";
import { parsePrice } from "./price.ts";
import { PriceError } from "./price-error.ts";
import { canonicalSnapshot, makeSnapshot, type PriceTerms, parseSnapshot } from "./snapshot.ts";

const dollars: PriceTerms = { exchangeRate: "1", accountCurrency: "USD" };
const small = parsePrice({
  provider: "openai",
  model: "gpt-4o-mini",
  effective_from: "2026-01-01",
  source: "bundled",
  context_tokens: 128_000,
  max_output_tokens: 16_384,
  input: "0.150",
  output: "0.60",
  cache_read: "0.075",
  tiers: [{ above_input_tokens: 100_000, input: "0.3" }],
});

/** Every fault that a call is refused with. */
function faultsOf(call: () => unknown): readonly string[] {
  try {
    call();
  } catch (error) {
    if (error instanceof PriceError) return error.faults;
    throw error;
  }
  return [];
}

/** The same JSON value with every record's keys reversed, as a database may give it back. */
function reorder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reorder);
  if (typeof value !== "object" || value === null) return value;
  const reversed = Object.entries(value).reverse();
  return Object.fromEntries(reversed.map(([key, inner]) => [key, reorder(inner)]));
}

describe("snapshot", () => {
  it("comes back from its canonical text as it was, and as the same text", () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const text = canonicalSnapshot(snapshot);
        assert.deepEqual(parseSnapshot(text), snapshot);
        assert.equal(canonicalSnapshot(parseSnapshot(text)), text);
      }),
    );
  });

  it("keeps its text when a database reorders its keys", () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const text = canonicalSnapshot(snapshot);
        const moved = JSON.stringify(reorder(JSON.parse(text)), null, 2);
        assert.equal(canonicalSnapshot(parseSnapshot(moved)), text);
      }),
    );
  });

  it("charges after its way through text what it charged before", () => {
    fc.assert(
      fc.property(snapshots, usages, (snapshot, usage) => {
        const again = parseSnapshot(canonicalSnapshot(snapshot));
        assert.equal(charge(compilePrice(again), usage), charge(compilePrice(snapshot), usage));
      }),
    );
  });

  it("has one spelling, which its id hangs on", () => {
    const text = canonicalSnapshot(
      makeSnapshot(small, { markup: "1.20", exchangeRate: "0.9200", accountCurrency: "EUR" }),
    );
    assert.equal(
      text,
      '{"format":1,"provider":"openai","model":"gpt-4o-mini","currency":"USD",' +
        '"effectiveFrom":"2026-01-01T00:00:00.000Z","source":"bundled","contextTokens":128000,"maxOutputTokens":16384,' +
        '"rates":{"input":"0.15","output":"0.6","cacheRead":"0.075","cacheWrite":"0.15","cacheWrite1h":"0.15",' +
        '"reasoning":"0.6","audioInput":"0.15","audioOutput":"0.6","image":null,"request":"0"},' +
        '"tiers":[{"aboveInputTokens":100000,"rates":{"input":"0.3","output":"0.6","cacheRead":"0.075","cacheWrite":"0.3",' +
        '"cacheWrite1h":"0.3","reasoning":"0.6","audioInput":"0.3","audioOutput":"0.6","image":null,"request":"0"}}],' +
        '"markup":"1.2","exchangeRate":"0.92","accountCurrency":"EUR","rounding":"UP_ONCE"}',
    );
  });

  // biome-ignore format: a table is read by column
  const wrongTerms: [name: string, on: PriceTerms, fault: RegExp][] = [
    ["a negative mark-up",               { ...dollars, markup: "-1" },                          /^markup must be a plain decimal/],
    ["a mark-up in exponent notation",   { ...dollars, markup: "1e2" },                         /^markup must be a plain decimal/],
    ["a mark-up beyond reason",          { ...dollars, markup: "1001" },                        /^markup must be at most 1000/],
    ["an exchange rate of nothing",      { exchangeRate: "0", accountCurrency: "EUR" },         /^exchangeRate must be above 0/],
    ["an exchange rate that is no number", { exchangeRate: "NaN", accountCurrency: "EUR" },     /^exchangeRate must be a plain decimal/],
    ["a rate from dollars to dollars",   { exchangeRate: "1.1", accountCurrency: "USD" },       /^exchangeRate must be 1 from USD/],
    ["a currency that is no code",       { exchangeRate: "1.1", accountCurrency: "euro" },      /^accountCurrency must be an ISO 4217 code/],
  ];
  for (const [name, on, fault] of wrongTerms) {
    it(`is not made with ${name}`, () => {
      const faults = faultsOf(() => makeSnapshot(small, on));
      assert.equal(faults.length, 1);
      assert.match(faults[0] ?? "", fault);
    });
  }

  it("is not read from other text, and says everything that is wrong with it", () => {
    const good = JSON.parse(canonicalSnapshot(makeSnapshot(small, dollars)));
    const read = (value: unknown) => faultsOf(() => parseSnapshot(JSON.stringify(value)));
    assert.deepEqual(
      faultsOf(() => parseSnapshot("{")),
      ["is not JSON"],
    );
    assert.deepEqual(read({ ...good, format: 2, rounding: "DOWN", extra: 1 }), [
      "format must be 1",
      "rounding must be UP_ONCE",
      "extra is not a known field",
    ]);
    assert.deepEqual(read({ ...good, rates: { ...good.rates, reasoning: undefined, tip: "1" } }), [
      "rates.reasoning is missing",
      "rates.tip is not a known field",
    ]);
    assert.deepEqual(read({ ...good, tiers: [...good.tiers, ...good.tiers] }), [
      "tiers[1].aboveInputTokens must be a whole number from 100001 up, not 100000",
    ]);
    assert.deepEqual(read({ ...good, source: undefined, effectiveFrom: null }), [
      "effectiveFrom is missing",
      "source is missing",
    ]);
  });
});
