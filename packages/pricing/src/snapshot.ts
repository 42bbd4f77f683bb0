import {
  type Price,
  type PriceSource,
  priceTexts,
  rateMost,
  readInstant,
  readSource,
  tiersMost,
} from "./price.ts";
import { PriceError } from "./price-error.ts";
import { type RecordReader, readRecord } from "./record-reader.ts";
import { type ResolvedRates, resolveRates } from "./unit-rates.ts";

/**
 * Everything a charge was computed with: one price version with every fallback spelled out, and the terms it was sold
 * on. Immutable; from it alone the charge is recomputed years later, to the last digit.
 */
export type PriceSnapshot = {
  /** The layout of this record, so that a later one can be told apart. */
  readonly format: 1;
  readonly provider: string;
  readonly model: string;
  readonly currency: string;
  readonly effectiveFrom: string;
  readonly source: PriceSource;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  readonly rates: ResolvedRates;
  /** By rising threshold. */
  readonly tiers: readonly ResolvedTier[];
  /** The factor on every amount; "1" for none. */
  readonly markup: string;
  /** The factor from the price's currency to the account's. */
  readonly exchangeRate: string;
  readonly accountCurrency: string;
  /** The exact total is rounded up to a whole nano, once per charge. */
  readonly rounding: "UP_ONCE";
};

/** A tier as a snapshot keeps it: all its rates, none left to the base. */
export type ResolvedTier = { readonly aboveInputTokens: number; readonly rates: ResolvedRates };

/** The terms a price is sold on. `markup` is a factor, "1" unless given; `exchangeRate` is accountCurrency per currency. */
export type PriceTerms = {
  readonly markup?: string;
  readonly exchangeRate: string;
  readonly accountCurrency: string;
};

const markupMost = "1000";
const exchangeRateMost = "1000000000";

/**
 * Fixes a price and the terms it is sold on. Equal content makes an equal snapshot. A mark-up of 0 gives the work away;
 * an exchange rate of 0, or other than 1 within one currency, is refused.
 *
 * Throws a PriceError that names every fault.
 */
export function makeSnapshot(price: Price, terms: PriceTerms): PriceSnapshot {
  // Read back through the parser: a snapshot is made rarely, and none must exist that cannot be read.
  return readSnapshot({
    format: 1,
    provider: price.provider,
    model: price.model,
    currency: price.currency,
    effectiveFrom: price.effectiveFrom,
    source: price.source,
    contextTokens: price.contextTokens,
    maxOutputTokens: price.maxOutputTokens,
    rates: resolveRates(price.rates),
    tiers: price.tiers.map((tier) => ({
      aboveInputTokens: tier.aboveInputTokens,
      rates: resolveRates(price.rates, tier.rates),
    })),
    markup: terms.markup ?? "1",
    exchangeRate: terms.exchangeRate,
    accountCurrency: terms.accountCurrency,
    rounding: "UP_ONCE",
  });
}

/** The one spelling of a snapshot: JSON with its keys in fixed order. The id is a hash of it, which the caller computes. */
export function canonicalSnapshot(snapshot: PriceSnapshot): string {
  // The reader builds every record key by key, in the order declared.
  return JSON.stringify(readSnapshot(snapshot));
}

/**
 * Reads a snapshot back: the exact inverse of `canonicalSnapshot`, whatever order a database has put the keys in.
 * Throws a PriceError that names every fault.
 */
export function parseSnapshot(json: string): PriceSnapshot {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new PriceError("price snapshot", ["is not JSON"]);
  }
  return readSnapshot(value);
}

function readSnapshot(value: unknown): PriceSnapshot {
  const faults: string[] = [];
  const reader = readRecord(value, "", faults);
  readLiteral(reader, "format", 1);
  const snapshot: PriceSnapshot = {
    format: 1,
    provider: reader.text("provider", priceTexts.provider),
    model: reader.text("model", priceTexts.model),
    currency: reader.text("currency", priceTexts.currency),
    effectiveFrom: readInstant(reader, "effectiveFrom"),
    source: readSource(reader),
    contextTokens: reader.count("contextTokens", { least: 0 }),
    maxOutputTokens: reader.count("maxOutputTokens", { least: 0 }),
    rates: readResolved(readRecord(reader.value("rates"), "rates", faults)),
    tiers: readTiers(reader, faults),
    markup: reader.decimal("markup", { most: markupMost, required: true }) ?? "",
    exchangeRate: reader.decimal("exchangeRate", { most: exchangeRateMost, required: true }) ?? "",
    accountCurrency: reader.text("accountCurrency", priceTexts.currency),
    rounding: "UP_ONCE",
  };
  readLiteral(reader, "rounding", "UP_ONCE");
  checkExchange(reader, snapshot);
  reader.refuseUnknown();
  if (faults.length > 0) throw new PriceError("price snapshot", faults);
  return snapshot;
}

function checkExchange(reader: RecordReader, snapshot: PriceSnapshot): void {
  if (snapshot.exchangeRate === "0") reader.fault("exchangeRate", "must be above 0");
  if (snapshot.currency === snapshot.accountCurrency && snapshot.exchangeRate !== "1") {
    reader.fault("exchangeRate", `must be 1 from ${snapshot.currency} to itself`);
  }
}

function readTiers(reader: RecordReader, faults: string[]): readonly ResolvedTier[] {
  let above = 0;
  return reader.list("tiers", tiersMost).map((value, index) => {
    const path = `tiers[${index}]`;
    const tier = readRecord(value, path, faults);
    above = tier.count("aboveInputTokens", { least: above + 1 });
    const rates = readResolved(readRecord(tier.value("rates"), `${path}.rates`, faults));
    tier.refuseUnknown();
    return { aboveInputTokens: above, rates };
  });
}

function readResolved(reader: RecordReader): ResolvedRates {
  const rate = (name: string) => reader.decimal(name, { most: rateMost, required: true }) ?? "";
  const rates: ResolvedRates = {
    input: rate("input"),
    output: rate("output"),
    cacheRead: rate("cacheRead"),
    cacheWrite: rate("cacheWrite"),
    cacheWrite1h: rate("cacheWrite1h"),
    reasoning: rate("reasoning"),
    audioInput: rate("audioInput"),
    audioOutput: rate("audioOutput"),
    image: reader.decimal("image", { most: rateMost, required: false }) ?? null,
    request: rate("request"),
  };
  reader.refuseUnknown();
  return rates;
}

function readLiteral(reader: RecordReader, name: string, only: string | number): void {
  if (reader.value(name) !== only) reader.fault(name, `must be ${only}`);
}
