import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type RawPrice, rawPrices, terms, usages } from "../testing/arbitraries.ts";
import { charge } from "./charge.ts";
import { type CompiledPrice, compilePrice } from "./compiled-price.ts";
import { parsePrice } from "./price.ts";
import { makeSnapshot, type PriceTerms } from "./snapshot.ts";
import { noUsage, type Usage, usageBuckets } from "./usage.ts";
import { UsageError } from "./usage-error.ts";

const dollars: PriceTerms = { exchangeRate: "1", accountCurrency: "USD" };

function compile(raw: Readonly<Record<string, unknown>>, on: PriceTerms = dollars): CompiledPrice {
  return compilePrice(makeSnapshot(parsePrice({ provider: "p", model: "m", ...raw }), on));
}

function use(some: Partial<Usage>): Usage {
  return { ...noUsage, ...some };
}

// An oracle of its own: schoolbook fractions from the raw price, knowing nothing of snapshots or common denominators.
type Fraction = { readonly n: bigint; readonly d: bigint };

function fraction(text: string): Fraction {
  const [whole = "0", decimals = ""] = text.split(".");
  return { n: BigInt(whole + decimals), d: 10n ** BigInt(decimals.length) };
}

function times(a: Fraction, b: Fraction): Fraction {
  return { n: a.n * b.n, d: a.d * b.d };
}

function plus(a: Fraction, b: Fraction): Fraction {
  return { n: a.n * b.d + b.n * a.d, d: a.d * b.d };
}

/** The exact charge in nanos. */
function oracle(raw: RawPrice, on: PriceTerms, usage: Usage): Fraction {
  const prompt =
    BigInt(usage.inputTokens) +
    BigInt(usage.cacheReadTokens) +
    BigInt(usage.cacheWriteTokens) +
    BigInt(usage.cacheWrite1hTokens) +
    BigInt(usage.audioInputTokens);
  let rates: Readonly<Record<string, unknown>> = raw;
  let highest = 0n;
  for (const tier of raw.tiers) {
    const above = BigInt(String(tier.above_input_tokens));
    if (prompt > above && above > highest) {
      highest = above;
      rates = { ...raw, ...tier };
    }
  }
  const rate = (...names: string[]): Fraction => {
    const found = names.find((name) => rates[name] !== undefined);
    return fraction(found === undefined ? "0" : String(rates[found]));
  };
  const million = { n: 1n, d: 1_000_000n };
  const one = { n: 1n, d: 1n };
  const parts: readonly [number, Fraction, Fraction][] = [
    [usage.inputTokens, rate("input"), million],
    [usage.cacheReadTokens, rate("cache_read", "input"), million],
    [usage.cacheWriteTokens, rate("cache_write", "input"), million],
    [usage.cacheWrite1hTokens, rate("cache_write_1h", "cache_write", "input"), million],
    [usage.audioInputTokens, rate("audio_input", "input"), million],
    [usage.outputTokens, rate("output"), million],
    [usage.reasoningTokens, rate("reasoning", "output"), million],
    [usage.audioOutputTokens, rate("audio_output", "output"), million],
    [usage.images, rate("image"), one],
    [usage.requests, rate("request"), one],
  ];
  const total = parts
    .map(([quantity, price, per]) => times(times({ n: BigInt(quantity), d: 1n }, price), per))
    .reduce(plus);
  const sold = times(times(total, fraction(on.markup ?? "1")), fraction(on.exchangeRate));
  return times(sold, { n: 1_000_000_000n, d: 1n });
}

describe("charge, by law", () => {
  it("is never below the exact cost, and less than one nano above it", () => {
    fc.assert(
      fc.property(rawPrices, terms, usages, (raw, on, usage) => {
        const charged = charge(compile(raw, on), usage);
        const exact = oracle(raw, on, usage);
        const excess = charged * exact.d - exact.n;
        assert.ok(excess >= 0n && excess < exact.d, `charged ${charged} for ${exact.n}/${exact.d}`);
      }),
      { numRuns: 2000 },
    );
  });

  it("never falls when any bucket grows, across tiers too where tiers are dearer", () => {
    const price = compile({
      input: "3",
      output: "15",
      cache_read: "0.3",
      cache_write: "3.75",
      image: "0.04",
      request: "0.0000003",
      tiers: [
        { above_input_tokens: 200_000, input: "6", output: "22.5", cache_read: "0.6" },
        { above_input_tokens: 400_000, input: "9", output: "30", cache_read: "0.6" },
      ],
    });
    const buckets = fc.constantFrom(...usageBuckets);
    const near = fc.integer({ min: 190_000, max: 410_000 });
    fc.assert(
      fc.property(usages, buckets, fc.oneof(near, fc.nat(20)), (usage, bucket, more) => {
        const grown = { ...usage, [bucket]: Math.min(usage[bucket] + more, 2 ** 53 - 1) };
        assert.ok(charge(price, grown) >= charge(price, usage));
      }),
      { numRuns: 2000 },
    );
  });

  it("charges less in parts than one nano per part above the whole, and never less than the whole", () => {
    fc.assert(
      fc.property(rawPrices, terms, usages, fc.integer({ min: 2, max: 9 }), (raw, on, some, n) => {
        const price = compile({ ...raw, tiers: [] }, on);
        const part = use({
          inputTokens: some.inputTokens % 1e6,
          outputTokens: some.outputTokens % 1e6,
        });
        const whole = use({
          inputTokens: part.inputTokens * n,
          outputTokens: part.outputTokens * n,
        });
        const excess = charge(price, part) * BigInt(n) - charge(price, whole);
        assert.ok(excess >= 0n && excess < BigInt(n));
      }),
    );
  });

  it("charges nothing for nothing", () => {
    fc.assert(
      fc.property(rawPrices, terms, (raw, on) => {
        assert.equal(charge(compile(raw, on), noUsage), 0n);
      }),
    );
  });
});

describe("charge, worked out by hand", () => {
  // $0.15, $0.60 and $0.075 per million tokens are 150, 600 and 75 nanos per token.
  const mini = { input: "0.15", output: "0.60", cache_read: "0.075" };
  // $3, $15, $0.30, $3.75, $6 per million: 3000, 15000, 300, 3750, 6000 nanos per token; double or so above 200k.
  const sonnet = {
    input: "3",
    output: "15",
    cache_read: "0.30",
    cache_write: "3.75",
    cache_write_1h: "6",
    tiers: [
      {
        above_input_tokens: 200_000,
        input: "6",
        output: "22.5",
        cache_read: "0.60",
        cache_write: "7.5",
        cache_write_1h: "12",
      },
    ],
  };
  // 150,000 × 300 + 40,000 × 3750 + 9000 × 6000 = 249,000,000 for the cached 199,000 tokens, 498,000,000 in the tier;
  // 1000 × 15,000 = 15,000,000 for the output, 22,500,000 in the tier.
  const cached = {
    cacheReadTokens: 150_000,
    cacheWriteTokens: 40_000,
    cacheWrite1hTokens: 9_000,
    outputTokens: 1_000,
    requests: 1,
  };
  const euros = { markup: "1.2", exchangeRate: "0.92", accountCurrency: "EUR" };

  // biome-ignore format: a table is read by column
  const cases: [name: string, price: CompiledPrice, usage: Usage, nanos: bigint][] = [
    // 1000 × 150 + 500 × 600
    ["a plain call", compile(mini), use({ inputTokens: 1000, outputTokens: 500, requests: 1 }), 450_000n],
    // 1000 × 150 + 2000 × 75 + 400 × 600 + 100 × 600: reasoning costs as output unless priced
    ["a cached prompt and reasoning", compile(mini), use({ inputTokens: 1000, cacheReadTokens: 2000, outputTokens: 400, reasoningTokens: 100 }), 600_000n],
    // 999 × 3000 + 249,000,000 + 15,000,000
    ["a prompt one below the threshold, mostly cached", compile(sonnet), use({ ...cached, inputTokens: 999 }), 266_997_000n],
    // 1000 × 3000 + 249,000,000 + 15,000,000: the tier is strictly above
    ["a prompt at the threshold, mostly cached", compile(sonnet), use({ ...cached, inputTokens: 1000 }), 267_000_000n],
    // 1001 × 6000 + 498,000,000 + 22,500,000: the tier takes the whole request
    ["a prompt one above the threshold, mostly cached", compile(sonnet), use({ ...cached, inputTokens: 1001 }), 526_506_000n],
    // 199,999 × 3000, 200,000 × 3000, 200,001 × 6000
    ["199,999 tokens uncached", compile(sonnet), use({ inputTokens: 199_999 }), 599_997_000n],
    ["200,000 tokens uncached", compile(sonnet), use({ inputTokens: 200_000 }), 600_000_000n],
    ["200,001 tokens uncached", compile(sonnet), use({ inputTokens: 200_001 }), 1_200_006_000n],
    // 1 × 300 × 200,000 then 600 × 200,001: a prompt wholly from the cache still chooses the tier
    ["200,000 tokens all cached", compile(sonnet), use({ cacheReadTokens: 200_000 }), 60_000_000n],
    ["200,001 tokens all cached", compile(sonnet), use({ cacheReadTokens: 200_001 }), 120_000_600n],
    // the output is no part of the prompt: 1 × 3000 + 300,000 × 15,000
    ["a short prompt with a huge answer", compile(sonnet), use({ inputTokens: 1, outputTokens: 300_000 }), 4_500_003_000n],
    // 1000 × 3000 × 1.2 × 0.92 = 3,312,000
    ["a mark-up and another currency", compile(sonnet, euros), use({ inputTokens: 1000 }), 3_312_000n],
    // 1 × 150 × 1.2 × 0.92 = 165.6, up
    ["a fraction of a nano, rounded up once", compile(mini, euros), use({ inputTokens: 1 }), 166n],
    // 5 × 165.6 = 828 exactly: the buckets are not rounded one by one, which would give 830
    ["fractions that add up to whole nanos", compile({ ...mini, output: "0.15" }, euros), use({ inputTokens: 2, outputTokens: 3 }), 828n],
    // 3 × $0.04 + $0.01
    ["images and a fee per request", compile({ ...mini, image: "0.04", request: "0.01" }), use({ images: 3, requests: 1 }), 130_000_000n],
  ];
  for (const [name, price, usage, nanos] of cases) {
    it(`charges ${name}`, () => assert.equal(charge(price, usage), nanos));
  }

  it("charges a million calls of $0.0000003 exactly $0.3", () => {
    const price = compile({ input: "0", output: "0", request: "0.0000003" });
    let total = 0n;
    for (let call = 0; call < 1_000_000; call++) total += charge(price, use({ requests: 1 }));
    assert.equal(total, 300_000_000n);
    assert.equal(charge(price, use({ requests: 1_000_000 })), 300_000_000n);
  });

  it("charges a whole nano for the least part of one, and exact sums for sub-nano prices in bulk", () => {
    const price = compile({ input: "0.0003", output: "0" }); // 0.3 nano per token
    assert.equal(charge(price, use({ inputTokens: 1 })), 1n);
    assert.equal(charge(price, use({ inputTokens: 4 })), 2n);
    assert.equal(charge(price, use({ inputTokens: 1_000_000 })), 300_000n);
  });

  it("keeps every digit above 2^53", () => {
    const tokens = Number.MAX_SAFE_INTEGER; // 9,007,199,254,740,991 × 15,000
    assert.equal(
      charge(compile(sonnet), use({ outputTokens: tokens })),
      135_107_988_821_114_865_000n,
    );
    const fine = compile({ input: "1.00000000000000000001", output: "0" });
    // 10^15 tokens × 1000 nanos × (1 + 10^-20) = 10^18 + 0.01, up
    assert.equal(charge(fine, use({ inputTokens: 1e15 })), 1_000_000_000_000_000_001n);
  });

  it("charges the least price there is, whose denominator no float holds", () => {
    const price = compile({ input: "0.00000000000000000001", output: "0" }); // 10^-17 nanos per token
    assert.equal(price.denominator, 10n ** 17n);
    assert.equal(charge(price, noUsage), 0n);
    assert.equal(charge(price, use({ inputTokens: 1 })), 1n);
    assert.equal(charge(price, use({ inputTokens: Number.MAX_SAFE_INTEGER })), 1n);
  });

  it("agrees on both sides of the largest sum that floats hold exactly", () => {
    const price = compile({ input: "0.001", output: "0.001" }); // 1 nano per token
    const most = Number.MAX_SAFE_INTEGER;
    assert.equal(charge(price, use({ inputTokens: most })), 2n ** 53n - 1n);
    assert.equal(charge(price, use({ inputTokens: most, outputTokens: 1 })), 2n ** 53n);
    assert.equal(charge(price, use({ inputTokens: most, outputTokens: 2 })), 2n ** 53n + 1n);
    assert.equal(charge(price, use({ inputTokens: most, outputTokens: most })), 2n ** 54n - 2n);
  });
});

describe("charge, refusing", () => {
  const price = compile({ input: "3", output: "15" });
  const wrongs = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53];

  for (const bucket of usageBuckets) {
    it(`names ${bucket} when it is no count`, () => {
      for (const wrong of wrongs) {
        const refused = new UsageError("NOT_A_COUNT", bucket);
        assert.throws(() => charge(price, use({ [bucket]: wrong })), refused);
      }
    });
  }

  it("refuses images that have no price, rather than give them away", () => {
    const refused = new UsageError("UNPRICED", "images");
    assert.throws(() => charge(price, use({ images: 1 })), refused);
  });

  it("sells images where the prompt's tier prices them, and only there", () => {
    const tiered = compile({
      input: "3",
      output: "15",
      tiers: [{ above_input_tokens: 10, image: "0.04" }],
    });
    assert.equal(charge(tiered, use({ inputTokens: 11, images: 1 })), 40_033_000n);
    const refused = new UsageError("UNPRICED", "images");
    assert.throws(() => charge(tiered, use({ inputTokens: 10, images: 1 })), refused);
  });
});
