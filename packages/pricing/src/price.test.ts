import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { prices } from "../testing/arbitraries.ts";
import { parsePrice, priceFields } from "./price.ts";
import { PriceError } from "./price-error.ts";

const least = { provider: "openai", model: "gpt-4o-mini", input: "0.15", output: "0.6" };

function faultsOf(value: unknown): readonly string[] {
  try {
    parsePrice(value);
  } catch (error) {
    if (error instanceof PriceError) return error.faults;
    throw error;
  }
  return [];
}

describe("parsePrice", () => {
  it("reads the least a price can say", () => {
    assert.deepEqual(parsePrice(least), {
      provider: "openai",
      model: "gpt-4o-mini",
      currency: "USD",
      effectiveFrom: "1970-01-01T00:00:00.000Z",
      source: "override",
      contextTokens: 0,
      maxOutputTokens: 0,
      rates: { input: "0.15", output: "0.6" },
      tiers: [],
    });
  });

  it("reads all a price can say, in canonical spelling and with tiers by rising threshold", () => {
    const price = parsePrice({
      ...least,
      currency: "EUR",
      effective_from: "2026-09-30T08:00Z",
      source: "bundled",
      context_tokens: 200_000,
      max_output_tokens: 64_000,
      cache_read: "0.30",
      cache_write: "3.750",
      cache_write_1h: "06",
      reasoning: "15.0",
      audio_input: null,
      audio_output: "20",
      image: "0.04",
      request: "0.0000003",
      tiers: [
        { above_input_tokens: 400_000, input: "9" },
        { above_input_tokens: 200_000, input: "6", output: "22.50" },
      ],
    });
    assert.deepEqual(price, {
      provider: "openai",
      model: "gpt-4o-mini",
      currency: "EUR",
      effectiveFrom: "2026-09-30T08:00:00.000Z",
      source: "bundled",
      contextTokens: 200_000,
      maxOutputTokens: 64_000,
      rates: {
        input: "0.15",
        output: "0.6",
        cacheRead: "0.3",
        cacheWrite: "3.75",
        cacheWrite1h: "6",
        reasoning: "15",
        audioOutput: "20",
        image: "0.04",
        request: "0.0000003",
      },
      tiers: [
        { aboveInputTokens: 200_000, rates: { input: "6", output: "22.5" } },
        { aboveInputTokens: 400_000, rates: { input: "9" } },
      ],
    });
  });

  it("reads back what priceFields writes", () => {
    fc.assert(
      fc.property(prices, (price) => {
        assert.deepEqual(parsePrice(priceFields(price)), price);
        assert.deepEqual(parsePrice(JSON.parse(JSON.stringify(priceFields(price)))), price);
      }),
    );
  });

  // biome-ignore format: a table is read by column
  const cases: [name: string, change: Readonly<Record<string, unknown>>, fault: RegExp][] = [
    ["a negative rate",               { input: "-0.15" },                         /^input must be a plain decimal .*not "-0\.15"$/],
    ["a rate that is a number",       { input: 0.15 },                            /^input must be a plain decimal in quotes .*not 0\.15$/],
    ["NaN",                           { output: "NaN" },                          /^output must be a plain decimal/],
    ["exponent notation",             { output: "1e-7" },                         /^output must be a plain decimal/],
    ["twenty-one decimals",           { cache_read: `0.${"0".repeat(20)}1` },     /^cache_read must be a plain decimal/],
    ["an empty rate",                 { cache_write: "" },                        /^cache_write must be a plain decimal/],
    ["a rate with a separator",       { cache_write_1h: "1,000" },                /^cache_write_1h must be a plain decimal/],
    ["a rate of more than one a token", { reasoning: "1000000.1" },               /^reasoning must be at most 1000000, not 1000000\.1: is it given for another unit\?$/],
    ["a rate that is a list",         { image: ["1"] },                           /^image must be a plain decimal .*not a list$/],
    ["no input rate",                 { input: undefined },                       /^input is missing$/],
    ["no output rate",                { output: null },                           /^output is missing$/],
    ["no provider",                   { provider: undefined },                    /^provider is missing$/],
    ["an empty model",                { model: "" },                              /^model must be 1 to 256 printable characters, not ""$/],
    ["a model with a line break",     { model: "a\nb" },                          /^model must be/],
    ["a name that is too long",       { provider: "p".repeat(65) },               /^provider must be/],
    ["a currency that is no code",    { currency: "usd" },                        /^currency must be an ISO 4217 code, not "usd"$/],
    ["a day that does not exist",     { effective_from: "2026-02-30" },           /^effective_from must be a day that exists, not 2026-02-30$/],
    ["a thirteenth month",            { effective_from: "2026-13-01" },           /^effective_from must be a day that exists/],
    ["a time without a zone",         { effective_from: "2026-01-01T00:00:00" },  /^effective_from must be an ISO 8601 date/],
    ["a source that is none",         { source: "guess" },                        /^source must be override, openrouter, bundled, not "guess"$/],
    ["half a token of context",       { context_tokens: 0.5 },                    /^context_tokens must be a whole number from 0 up, not 0\.5$/],
    ["a limit as text",               { max_output_tokens: "16384" },             /^max_output_tokens must be a whole number from 0 up, not "16384"$/],
    ["a field that does not exist",   { inputs: "1" },                            /^inputs is not a known field$/],
    ["a field of Object's own",       { constructor: "1" },                       /^constructor is not a known field$/],
    ["tiers that are no list",        { tiers: {} },                              /^tiers must be a list of at most 16$/],
    ["seventeen tiers",               { tiers: Array.from({ length: 17 }, (_, i) => ({ above_input_tokens: i + 1, input: "1" })) }, /^tiers must be a list of at most 16$/],
    ["a tier that is no record",      { tiers: ["x"] },                           /^tiers\[0\] must be a record of fields$/],
    ["a tier without a threshold",    { tiers: [{ input: "1" }] },                /^tiers\[0\]\.above_input_tokens is missing$/],
    ["a tier at nothing",             { tiers: [{ above_input_tokens: 0, input: "1" }] }, /^tiers\[0\]\.above_input_tokens must be a whole number from 1 up, not 0$/],
    ["a tier without a rate",         { tiers: [{ above_input_tokens: 1 }] },     /^tiers\[0\] must name a rate$/],
    ["an unknown field in a tier",    { tiers: [{ above_input_tokens: 1, input: "1", x: 1 }] }, /^tiers\[0\]\.x is not a known field$/],
    ["one threshold twice",           { tiers: [{ above_input_tokens: 1, input: "1" }, { above_input_tokens: 1, input: "2" }] }, /^tiers must not name one above_input_tokens twice$/],
  ];
  for (const [name, change, fault] of cases) {
    it(`refuses ${name}`, () => assert.match(faultsOf({ ...least, ...change })[0] ?? "", fault));
  }

  it("names every fault in one message, and the price they are in", () => {
    const broken = { ...least, input: "-1", output: undefined, currency: "$", colour: "red" };
    assert.throws(
      () => parsePrice(broken),
      (error) =>
        error instanceof PriceError &&
        error.faults.length === 4 &&
        ["openai/gpt-4o-mini", "input", "output", "currency", "colour"].every((name) =>
          error.message.includes(name),
        ),
    );
  });

  it("keeps its message short however many faults there are", () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`field${i}`, 1]));
    assert.throws(
      () => parsePrice({ ...least, ...many }),
      (error) =>
        error instanceof PriceError &&
        error.faults.length === 5_000 &&
        error.message.length < 2_000 &&
        error.message.endsWith("and 4980 more"),
    );
  });

  it("refuses what is no record at all", () => {
    for (const value of [undefined, null, 1, "price", [least]]) {
      assert.equal(faultsOf(value)[0], "must be a record of fields");
    }
  });
});
