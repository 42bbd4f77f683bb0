import { formatNanos, type Nanos, nanosPerUnit } from "@farebox/kit/money";
import { type Exact, ExactDecimal } from "./exact-decimal.ts";
import type { PriceSnapshot, ResolvedTier } from "./snapshot.ts";
import { type ResolvedRates, rateOfBucket } from "./unit-rates.ts";
import { promptTokens, type Usage, usageBuckets } from "./usage.ts";
import { assertUsage, UsageError } from "./usage-error.ts";

/** A charge taken apart, as data and as text. The lines sum to `exact`; `exact` rounded up once is the charge. */
export type ChargeExplanation = {
  /** One line per bucket that was used, in the order of `usageBuckets`. */
  readonly lines: readonly ChargeLine[];
  readonly markup: string;
  readonly exchangeRate: string;
  /** The currency of the unit rates. */
  readonly currency: string;
  /** The currency of every amount. */
  readonly accountCurrency: string;
  /** The whole charge before rounding, a decimal string with every digit. */
  readonly exact: string;
  /** The charge: equal to what `charge` returns. */
  readonly roundedNanos: Nanos;
  /** The same in lines and columns, for people. */
  readonly text: string;
};

/** amount = quantity × unitRate ÷ per × mark-up × exchange rate, exactly. */
export type ChargeLine = {
  readonly bucket: keyof Usage;
  readonly quantity: number;
  /** In the price's currency, for `per` units. */
  readonly unitRate: string;
  readonly per: number;
  /** The prompt size above which the rate applies; null for the base rate. */
  readonly tier: number | null;
  /** In the account's currency, before rounding. */
  readonly amount: string;
};

/**
 * Shows how a charge came about, from its snapshot alone. It computes in decimals what `charge` computes in fractions,
 * so the two check each other.
 *
 * Errors: as `charge`.
 */
export function explainCharge(snapshot: PriceSnapshot, usage: Usage): ChargeExplanation {
  assertUsage(usage);
  const tier = snapshot.tiers.findLast((t) => promptTokens(usage) > t.aboveInputTokens);
  const lines = usageBuckets
    .filter((bucket) => usage[bucket] !== 0)
    .map((bucket) => explainLine(snapshot, usage, { bucket, tier }));
  const exact = lines.reduce((sum, line) => sum.add(line.amount), new ExactDecimal(0));
  const roundedNanos = BigInt(exact.mul(nanosPerUnit.toString()).ceil().toFixed());
  const explanation = {
    lines,
    markup: snapshot.markup,
    exchangeRate: snapshot.exchangeRate,
    currency: snapshot.currency,
    accountCurrency: snapshot.accountCurrency,
    exact: exact.toFixed(),
    roundedNanos,
  };
  return { ...explanation, text: writeText(snapshot, explanation, tier) };
}

function explainLine(
  snapshot: PriceSnapshot,
  usage: Usage,
  { bucket, tier }: { bucket: keyof Usage; tier: ResolvedTier | undefined },
): ChargeLine {
  const { rate, per } = rateOfBucket[bucket];
  const rates: ResolvedRates = tier?.rates ?? snapshot.rates;
  const unitRate = rates[rate];
  if (unitRate === null) throw new UsageError("UNPRICED", bucket);
  const amount: Exact = new ExactDecimal(usage[bucket])
    .mul(unitRate)
    .div(per)
    .mul(snapshot.markup)
    .mul(snapshot.exchangeRate);
  return {
    bucket,
    quantity: usage[bucket],
    unitRate,
    per,
    tier: tier?.aboveInputTokens ?? null,
    amount: amount.toFixed(),
  };
}

const bucketTitles: { readonly [bucket in keyof Usage]: string } = {
  inputTokens: "input tokens",
  cacheReadTokens: "cache read tokens",
  cacheWriteTokens: "cache write tokens",
  cacheWrite1hTokens: "cache write tokens (1 h)",
  audioInputTokens: "audio input tokens",
  outputTokens: "output tokens",
  reasoningTokens: "reasoning tokens",
  audioOutputTokens: "audio output tokens",
  images: "images",
  requests: "requests",
};

function writeText(
  snapshot: PriceSnapshot,
  charge: Omit<ChargeExplanation, "text">,
  tier: ResolvedTier | undefined,
): string {
  const tierName = tier ? `prompt above ${tier.aboveInputTokens} tokens` : "base rates";
  const terms = `× mark-up ${charge.markup} × ${charge.exchangeRate} ${charge.accountCurrency}/${charge.currency}`;
  const rows = charge.lines.map((line) => [
    bucketTitles[line.bucket],
    String(line.quantity),
    `× ${line.unitRate} ${charge.currency}${line.per === 1 ? "" : ` / ${line.per}`}`,
    terms,
    `= ${line.amount} ${charge.accountCurrency}`,
  ]);
  const charged = `${formatNanos(charge.roundedNanos)} ${charge.accountCurrency}`;
  return [
    `${snapshot.provider} ${snapshot.model}, ${tierName}, prices of ${snapshot.effectiveFrom} (${snapshot.source})`,
    ...alignColumns(rows),
    `exact total ${charge.exact} ${charge.accountCurrency}, rounded up once to 9 decimals: ${charged}`,
  ].join("\n");
}

/** Pads every column to its widest cell; the quantities, second, to the right. */
function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 1 ? cell.padStart(width(at)) : cell.padEnd(width(at))))
      .join("  ")
      .trimEnd(),
  );
}
