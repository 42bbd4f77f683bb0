/**
 * What a usage costs, in nanos, by fractions of whole numbers and nothing else: the sum over the buckets of count × rate,
 * times mark-up and exchange rate, rounded up once.
 *
 * Written a second time on purpose, without `packages/pricing`: a bill that is checked with the engine that made it is not
 * checked.
 */
export function exactCost(terms: CostTerms, usage: BilledUsage): bigint {
  const rates = ratesFor(terms, usage);
  let total: Fraction = { over: 0n, under: 1n };
  for (const bucket of bucketNames) {
    const count = usage[bucket];
    if (count === 0n) continue;
    const { rate, per } = buckets[bucket];
    const text = rates[rate];
    if (text === null) throw new Error(`the price sells no ${bucket}`);
    const { over, under } = decimal(text);
    total = sum(total, { over: over * count, under: under * per });
  }
  const markup = decimal(terms.markup);
  const exchange = decimal(terms.exchangeRate);
  const over = total.over * markup.over * exchange.over * nanosPerUnit;
  const under = total.under * markup.under * exchange.under;
  return (over + under - 1n) / under;
}

/** What was consumed, in the disjoint buckets that are billed. */
export type BilledUsage = { readonly [bucket in Bucket]: bigint };

/** The name of one bucket. */
export type Bucket = keyof typeof buckets;

/** The part of a stored price snapshot that a cost comes from. Decimal strings. */
export type CostTerms = {
  readonly rates: Rates;
  readonly tiers: readonly { readonly aboveInputTokens: number; readonly rates: Rates }[];
  readonly markup: string;
  readonly exchangeRate: string;
};

type Rates = { readonly [name in RateName]: string | null };
type RateName = (typeof buckets)[Bucket]["rate"];
type Fraction = { readonly over: bigint; readonly under: bigint };

const million = 1_000_000n;
const nanosPerUnit = 1_000_000_000n;

const buckets = {
  inputTokens: { rate: "input", per: million },
  cacheReadTokens: { rate: "cacheRead", per: million },
  cacheWriteTokens: { rate: "cacheWrite", per: million },
  cacheWrite1hTokens: { rate: "cacheWrite1h", per: million },
  audioInputTokens: { rate: "audioInput", per: million },
  outputTokens: { rate: "output", per: million },
  reasoningTokens: { rate: "reasoning", per: million },
  audioOutputTokens: { rate: "audioOutput", per: million },
  images: { rate: "image", per: 1n },
  requests: { rate: "request", per: 1n },
} as const;

/** Every bucket that can be billed. */
export const bucketNames: readonly Bucket[] = [
  "inputTokens",
  "cacheReadTokens",
  "cacheWriteTokens",
  "cacheWrite1hTokens",
  "audioInputTokens",
  "outputTokens",
  "reasoningTokens",
  "audioOutputTokens",
  "images",
  "requests",
];

function ratesFor(terms: CostTerms, usage: BilledUsage): Rates {
  const prompt =
    usage.inputTokens +
    usage.cacheReadTokens +
    usage.cacheWriteTokens +
    usage.cacheWrite1hTokens +
    usage.audioInputTokens;
  const reached = terms.tiers.filter((tier) => prompt > BigInt(tier.aboveInputTokens));
  const highest = reached.sort((a, b) => b.aboveInputTokens - a.aboveInputTokens)[0];
  return highest?.rates ?? terms.rates;
}

function decimal(text: string): Fraction {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) throw new Error(`${text} is not a decimal`);
  const [, whole = "", fraction = ""] = match;
  return { over: BigInt(whole + fraction), under: 10n ** BigInt(fraction.length) };
}

function sum(a: Fraction, b: Fraction): Fraction {
  return { over: a.over * b.under + b.over * a.under, under: a.under * b.under };
}
