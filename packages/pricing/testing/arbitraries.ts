import fc from "fast-check";
import { type Price, parsePrice } from "../src/price.ts";
import { makeSnapshot, type PriceSnapshot, type PriceTerms } from "../src/snapshot.ts";
import { noUsage, type Usage } from "../src/usage.ts";

/** A price as a file spells it. */
export type RawPrice = Readonly<Record<string, unknown>> & {
  readonly tiers: readonly Readonly<Record<string, unknown>>[];
};

/** Plain decimals up to a million, from whole numbers to twenty decimals, zero and one often among them. */
export const decimals: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("0", "1", "0.15", "0.075", "3", "15", "22.5", "1000000"),
  fc.tuple(fc.bigInt(0n, 999_999n), fc.bigInt(0n, 10n ** 20n - 1n), fc.nat(20)).map(spell),
  fc.tuple(fc.bigInt(0n, 99n), fc.bigInt(0n, 9_999n), fc.constant(4)).map(spell),
);

function spell([whole, fraction, places]: [bigint, bigint, number]): string {
  const digits = fraction
    .toString()
    .padStart(20, "0")
    .slice(20 - places);
  return digits === "" ? `${whole}` : `${whole}.${digits}`;
}

const optionalRates = {
  cache_read: decimals,
  cache_write: decimals,
  cache_write_1h: decimals,
  reasoning: decimals,
  audio_input: decimals,
  audio_output: decimals,
  request: decimals,
};

/** Tiers at thresholds near those that `usages` reaches, each naming at least its input. */
const tiers = fc.uniqueArray(
  fc.record(
    {
      above_input_tokens: fc.integer({ min: 1, max: 400 }).map((n) => n * 1000),
      input: decimals,
      output: decimals,
      image: decimals,
      ...optionalRates,
    },
    { requiredKeys: ["above_input_tokens", "input"] },
  ),
  { maxLength: 4, selector: (tier) => tier.above_input_tokens },
);

/** Prices of every shape: any rates left out, any tiers, dearer or cheaper than the base. Images are always sold. */
export const rawPrices: fc.Arbitrary<RawPrice> = fc.record(
  {
    provider: fc.constantFrom("openai", "anthropic"),
    model: fc.constantFrom("small", "large:free"),
    currency: fc.constant("USD"),
    effective_from: fc.constantFrom("2026-01-01", "2026-09-30T12:30:00.250Z"),
    source: fc.constantFrom("override", "openrouter", "bundled"),
    context_tokens: fc.nat(2_000_000),
    max_output_tokens: fc.nat(200_000),
    tiers,
    input: decimals,
    output: decimals,
    image: decimals,
    ...optionalRates,
  },
  { requiredKeys: ["provider", "model", "tiers", "input", "output", "image"] },
);

/** Prices as the engine reads them. */
export const prices: fc.Arbitrary<Price> = rawPrices.map(parsePrice);

/** Terms with and without a mark-up and a currency of the account's own. */
export const terms: fc.Arbitrary<PriceTerms> = fc.oneof(
  fc.record({
    exchangeRate: fc.constant("1"),
    accountCurrency: fc.constant("USD"),
    markup: fc.constantFrom("1", "1.2", "0.85", "1.05", "0"),
  }),
  fc.record({
    exchangeRate: fc.constantFrom("0.92", "7.1934", "0.91234567890123456789", "157.25"),
    accountCurrency: fc.constantFrom("EUR", "CNY"),
    markup: fc.constantFrom("1", "1.2", "1.33333333333333333333"),
  }),
);

/** Snapshots of any price on any terms. */
export const snapshots: fc.Arbitrary<PriceSnapshot> = fc
  .tuple(prices, terms)
  .map(([price, on]) => makeSnapshot(price, on));

/** Quantities from nothing to the largest safe integer, mostly of the size of real calls. */
export const quantities: fc.Arbitrary<number> = fc.oneof(
  { arbitrary: fc.constant(0), weight: 2 },
  { arbitrary: fc.nat(5_000), weight: 4 },
  { arbitrary: fc.nat(400_000), weight: 4 },
  { arbitrary: fc.maxSafeNat(), weight: 1 },
);

/** Usages of every mix of buckets. */
export const usages: fc.Arbitrary<Usage> = fc
  .record({
    inputTokens: quantities,
    cacheReadTokens: quantities,
    cacheWriteTokens: quantities,
    cacheWrite1hTokens: quantities,
    audioInputTokens: quantities,
    outputTokens: quantities,
    reasoningTokens: quantities,
    audioOutputTokens: quantities,
    images: fc.nat(20),
    requests: fc.nat(3),
  })
  .map((usage) => ({ ...noUsage, ...usage }));
