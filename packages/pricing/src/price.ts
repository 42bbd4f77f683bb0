import { PriceError } from "./price-error.ts";
import { isRecord, type RecordReader, readRecord, type TextRule } from "./record-reader.ts";
import type { RateName, UnitRates } from "./unit-rates.ts";

/** Where a price version comes from, the operator's word first. */
export type PriceSource = "override" | "openrouter" | "bundled";

/** One version of a model's prices: data, in the provider's currency, before any mark-up. */
export type Price = {
  readonly provider: string;
  readonly model: string;
  /** ISO 4217 code of the rates. */
  readonly currency: string;
  /** From when the version applies: ISO 8601, UTC, milliseconds. */
  readonly effectiveFrom: string;
  readonly source: PriceSource;
  /** The model's context window; 0 when not known. */
  readonly contextTokens: number;
  /** The most tokens the model can answer with; 0 when not known. */
  readonly maxOutputTokens: number;
  readonly rates: UnitRates;
  /** By rising threshold, no two alike. */
  readonly tiers: readonly PriceTier[];
};

/**
 * Rates for long prompts. The tier with the largest threshold strictly below the whole prompt, cached tokens included,
 * applies to the whole request; what it does not name is the base's.
 */
export type PriceTier = {
  readonly aboveInputTokens: number;
  readonly rates: Partial<UnitRates>;
};

/** The most that a unit may cost: a million per million tokens is one per token, which only a mistaken unit reaches. */
export const rateMost = "1000000";

/** The most tiers a price may have. */
export const tiersMost = 16;

const always = "1970-01-01";
const sources = ["override", "openrouter", "bundled"] as const satisfies readonly PriceSource[];

/** Each rate by the name that files and tables give it. */
const rateFields = [
  ["input", "input"],
  ["output", "output"],
  ["cache_read", "cacheRead"],
  ["cache_write", "cacheWrite"],
  ["cache_write_1h", "cacheWrite1h"],
  ["reasoning", "reasoning"],
  ["audio_input", "audioInput"],
  ["audio_output", "audioOutput"],
  ["image", "image"],
  ["request", "request"],
] as const satisfies readonly (readonly [field: string, rate: RateName])[];

/** What every text of a price must look like, wherever it is read. */
export const priceTexts = {
  provider: { pattern: /^(?!\s)\P{C}{1,64}(?<!\s)$/u, expected: "1 to 64 printable characters" },
  model: { pattern: /^(?!\s)\P{C}{1,256}(?<!\s)$/u, expected: "1 to 256 printable characters" },
  currency: { pattern: /^[A-Z]{3}$/, expected: "an ISO 4217 code" },
  instant: {
    pattern: /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z)?$/,
    expected: "an ISO 8601 date, or a time in UTC",
  },
  source: { pattern: /^(override|openrouter|bundled)$/, expected: sources.join(", ") },
} as const satisfies Record<string, TextRule>;

/**
 * Reads a price as a file or a table spells it: snake_case fields, decimal strings per million tokens. What may be left
 * out: every rate but `input` and `output`, `tiers`, the two token limits (then 0, not known), `currency` (USD),
 * `effective_from` (always) and `source` (override).
 *
 * Throws a PriceError with every fault, named by field: unknown fields, numbers where decimal strings belong, negative,
 * malformed or over-precise decimals, and rates above 10⁶, which are a per-token price times a million too many.
 */
export function parsePrice(value: unknown): Price {
  const faults: string[] = [];
  const reader = readRecord(value, "", faults);
  const price: Price = {
    provider: reader.text("provider", priceTexts.provider),
    model: reader.text("model", priceTexts.model),
    currency: reader.text("currency", { ...priceTexts.currency, fallback: "USD" }),
    effectiveFrom: readInstant(reader, "effective_from", always),
    source: readSource(reader, "override"),
    contextTokens: reader.count("context_tokens", { least: 0, fallback: 0 }),
    maxOutputTokens: reader.count("max_output_tokens", { least: 0, fallback: 0 }),
    rates: readBaseRates(reader),
    tiers: readTiers(reader, faults),
  };
  reader.refuseUnknown();
  if (faults.length > 0) throw new PriceError(`price of ${nameOf(value)}`, faults);
  return price;
}

/** A price as `parsePrice` reads it, absent rates left out: its exact inverse, for tables and files. */
export function priceFields(price: Price): Readonly<Record<string, unknown>> {
  return {
    provider: price.provider,
    model: price.model,
    currency: price.currency,
    effective_from: price.effectiveFrom,
    source: price.source,
    context_tokens: price.contextTokens,
    max_output_tokens: price.maxOutputTokens,
    ...fieldsOf(price.rates),
    tiers: price.tiers.map((tier) => ({
      above_input_tokens: tier.aboveInputTokens,
      ...fieldsOf(tier.rates),
    })),
  };
}

/** Reads an instant in its one spelling; a day means its first millisecond. */
export function readInstant(reader: RecordReader, name: string, fallback?: string): string {
  const text = reader.text(name, withFallback(priceTexts.instant, fallback));
  if (text === "") return text;
  const time = new Date(text);
  // The engine rolls 30 February over into March; a date that does not come back as written does not exist.
  if (!Number.isNaN(time.getTime()) && time.toISOString().startsWith(text.slice(0, 10))) {
    return time.toISOString();
  }
  reader.fault(name, `must be a day that exists, not ${text}`);
  return "";
}

/** Reads where a price comes from. */
export function readSource(reader: RecordReader, fallback?: PriceSource): PriceSource {
  const text = reader.text("source", withFallback(priceTexts.source, fallback));
  return sources.find((source) => source === text) ?? "override";
}

function withFallback(rule: TextRule, fallback: string | undefined): TextRule {
  return fallback === undefined ? rule : { ...rule, fallback };
}

function readBaseRates(reader: RecordReader): UnitRates {
  const rates = readRates(reader, ["input", "output"]);
  return { ...rates, input: rates.input ?? "0", output: rates.output ?? "0" };
}

function readRates(reader: RecordReader, required: readonly RateName[]): Partial<UnitRates> {
  const rates: { [name in RateName]?: string } = {};
  for (const [field, name] of rateFields) {
    const rate = reader.decimal(field, { most: rateMost, required: required.includes(name) });
    if (rate !== undefined) rates[name] = rate;
  }
  return rates;
}

function readTiers(reader: RecordReader, faults: string[]): readonly PriceTier[] {
  const tiers = reader.list("tiers", tiersMost).map((value, index) => {
    const path = `tiers[${index}]`;
    const tierReader = readRecord(value, path, faults);
    const aboveInputTokens = tierReader.count("above_input_tokens", { least: 1 });
    const rates = readRates(tierReader, []);
    if (Object.keys(rates).length === 0) tierReader.fault("", "must name a rate");
    tierReader.refuseUnknown();
    return { aboveInputTokens, rates };
  });
  if (new Set(tiers.map((tier) => tier.aboveInputTokens)).size < tiers.length) {
    reader.fault("tiers", "must not name one above_input_tokens twice");
  }
  return tiers.sort((a, b) => a.aboveInputTokens - b.aboveInputTokens);
}

function fieldsOf(rates: Partial<UnitRates>): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const [field, name] of rateFields) {
    const rate = rates[name];
    if (rate !== undefined) fields[field] = rate;
  }
  return fields;
}

/** How a fault speaks of a price whose own name may be what is wrong. */
function nameOf(value: unknown): string {
  if (!isRecord(value)) return "no record";
  const names = [value.provider, value.model];
  return names.map((name) => (typeof name === "string" ? name.slice(0, 80) : "?")).join("/");
}
