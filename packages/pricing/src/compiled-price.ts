import { nanosPerUnit } from "@farebox/kit/money";
import { type Exact, ExactDecimal } from "./exact-decimal.ts";
import type { PriceSnapshot } from "./snapshot.ts";
import { type ResolvedRates, rateOfBucket } from "./unit-rates.ts";
import { type Usage, usageBuckets } from "./usage.ts";

/**
 * A snapshot as fractions of a nano: bucket × numerator, summed, over one denominator, is the exact charge. One
 * denominator for all tiers, so that their prices compare as integers. Compiled once per snapshot, never per call.
 */
export type CompiledPrice = {
  readonly snapshot: PriceSnapshot;
  readonly denominator: bigint;
  /** The denominator as a number; NaN when it is not exact as one. */
  readonly denominatorFast: number;
  readonly base: CompiledTier;
  /** By falling threshold: the first one below the prompt applies. */
  readonly tiers: readonly CompiledTier[];
};

/** The fractions of one tier. */
export type CompiledTier = {
  /** −1 for the base, which applies to every prompt that no tier takes. */
  readonly aboveInputTokens: number;
  readonly sellsImages: boolean;
  readonly exact: PerBucket<bigint>;
  /** `exact` as numbers; NaN where one is not exact. */
  readonly fast: PerBucket<number>;
  /** The dearest that a prompt of this tier's size or smaller can meet. */
  readonly bound: WorstRates;
};

/** One numerator a bucket. */
export type PerBucket<N> = { readonly [bucket in keyof Usage]: N };

/** The dearest numerators of this tier and all below it, by what a bound is stated in. */
export type WorstRates = {
  readonly sellsImages: boolean;
  readonly exact: PerBound<bigint>;
  readonly fast: PerBound<number>;
};

/** One numerator per quantity that a bound is stated in. */
export type PerBound<N> = {
  readonly inputTokens: N;
  readonly outputTokens: N;
  readonly images: N;
  readonly requests: N;
};

/** Compiles a snapshot. Exact for every decimal that a snapshot can hold. */
export function compilePrice(snapshot: PriceSnapshot): CompiledPrice {
  const ascending = [{ aboveInputTokens: -1, rates: snapshot.rates }, ...snapshot.tiers];
  const prices = ascending.map((tier) => nanosPerBucket(snapshot, tier.rates));
  const { denominator, numerators } = commonFractions(prices);
  let bound: PerBound<bigint> = { inputTokens: 0n, outputTokens: 0n, images: 0n, requests: 0n };
  let boundSellsImages = true;
  const tiers: CompiledTier[] = ascending.map(({ aboveInputTokens, rates }, index) => {
    const exact = numerators[index] ?? perBucket(() => 0n);
    const sellsImages = rates.image !== null;
    boundSellsImages &&= sellsImages;
    bound = dearest(bound, exact);
    return {
      aboveInputTokens,
      sellsImages,
      exact,
      fast: perBucket((bucket) => exactNumber(exact[bucket])),
      bound: { sellsImages: boundSellsImages, exact: bound, fast: fastBound(bound) },
    };
  });
  const [base, ...above] = tiers;
  if (base === undefined) throw new Error("a snapshot has a base");
  const denominatorFast = exactNumber(denominator);
  return { snapshot, denominator, denominatorFast, base, tiers: above.reverse() };
}

/** The tier that a prompt of so many tokens falls in, cached ones included. */
export function tierOf(price: CompiledPrice, promptTokens: number): CompiledTier {
  for (const tier of price.tiers) {
    if (promptTokens > tier.aboveInputTokens) return tier;
  }
  return price.base;
}

/** What one unit of each bucket costs in nanos of the account's currency, exactly. */
function nanosPerBucket(snapshot: PriceSnapshot, rates: ResolvedRates): PerBucket<Exact> {
  const factor = new ExactDecimal(snapshot.markup).mul(snapshot.exchangeRate);
  return perBucket((bucket) => {
    const { rate, per } = rateOfBucket[bucket];
    return new ExactDecimal(rates[rate] ?? "0").mul(factor).mul(Number(nanosPerUnit) / per);
  });
}

/** Brings decimals to integers over their least common denominator. */
function commonFractions(prices: readonly PerBucket<Exact>[]) {
  const scale = Math.max(...prices.flatMap((price) => Object.values(price).map((d) => d.dp())));
  const shift = new ExactDecimal(10).pow(scale);
  const scaled = prices.map((price) =>
    perBucket((bucket) => BigInt(price[bucket].mul(shift).toFixed())),
  );
  const all = scaled.flatMap((price) => Object.values(price));
  const shared = all.reduce(greatestCommonDivisor, 10n ** BigInt(scale));
  return {
    denominator: 10n ** BigInt(scale) / shared,
    numerators: scaled.map((price) => perBucket((bucket) => price[bucket] / shared)),
  };
}

function dearest(bound: PerBound<bigint>, tier: PerBucket<bigint>): PerBound<bigint> {
  return {
    inputTokens: largest([
      bound.inputTokens,
      tier.inputTokens,
      tier.cacheReadTokens,
      tier.cacheWriteTokens,
      tier.cacheWrite1hTokens,
      tier.audioInputTokens,
    ]),
    outputTokens: largest([
      bound.outputTokens,
      tier.outputTokens,
      tier.reasoningTokens,
      tier.audioOutputTokens,
    ]),
    images: largest([bound.images, tier.images]),
    requests: largest([bound.requests, tier.requests]),
  };
}

function fastBound(bound: PerBound<bigint>): PerBound<number> {
  return {
    inputTokens: exactNumber(bound.inputTokens),
    outputTokens: exactNumber(bound.outputTokens),
    images: exactNumber(bound.images),
    requests: exactNumber(bound.requests),
  };
}

function perBucket<N>(of: (bucket: keyof Usage) => N): PerBucket<N> {
  const [a, b, c, d, e, f, g, h, i, j] = usageBuckets;
  return {
    [a]: of(a),
    [b]: of(b),
    [c]: of(c),
    [d]: of(d),
    [e]: of(e),
    [f]: of(f),
    [g]: of(g),
    [h]: of(h),
    [i]: of(i),
    [j]: of(j),
  };
}

/** A whole number as a float, or NaN where the float would not be exactly it. */
function exactNumber(value: bigint): number {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : Number.NaN;
}

function largest(values: readonly bigint[]): bigint {
  let most = 0n;
  for (const value of values) if (value > most) most = value;
  return most;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b);
}
