import { ExactDecimal } from "./exact-decimal.ts";
import { type Price, parsePrice } from "./price.ts";
import { PriceError } from "./price-error.ts";
import { isRecord } from "./record-reader.ts";

/** What a models listing says: the prices that can be charged with, and why each other model cannot. */
export type OpenRouterPrices = {
  readonly prices: readonly Price[];
  readonly skipped: readonly { readonly id: string; readonly why: string }[];
};

const modelsMost = 20_000;

/** The dearest believable price per million tokens, in dollars; above it the listing has changed its unit. */
const perMillionMost = 10_000;

/** Per-token prices by our field names. */
const tokenFields = {
  prompt: "input",
  completion: "output",
  input_cache_read: "cache_read",
  input_cache_write: "cache_write",
  input_cache_write_1h: "cache_write_1h",
  internal_reasoning: "reasoning",
  audio: "audio_input",
  audio_output: "audio_output",
} as const;

/**
 * What a charge of ours leaves out on purpose. `image` is per image *sent*, which the providers also count as prompt
 * tokens, and never what making one costs. `web_search` is a plug-in's fee; cached audio is charged as other cached
 * tokens; a discount only makes the listed price cheaper.
 */
const ignoredFields = ["image", "web_search", "input_audio_cache", "discount"];

/**
 * Reads OpenRouter's answer to `GET /api/v1/models` as prices of the provider "openrouter", in dollars, in force from
 * `effectiveFrom` (the time of the pull). Per-token prices become per-million exactly. Conditional prices on
 * `min_prompt_tokens` become tiers, with the same meaning: strictly above, for the whole request.
 *
 * Skipped, with the reason: models whose price varies ("-1"), depends on the time of day, has a part that is not
 * metered here (such as image tokens), is malformed, or is so high that its unit must be wrong. An optional token price
 * of "0" beside a paid prompt means "not priced apart", and falls back; it does not make those tokens free.
 *
 * Throws a PriceError when the answer is no listing at all, so that a failed pull never empties a catalogue.
 */
export function readOpenRouterModels(json: unknown, effectiveFrom: string): OpenRouterPrices {
  const models = isRecord(json) ? json.data : undefined;
  if (!Array.isArray(models) || models.length === 0 || models.length > modelsMost) {
    throw new PriceError("OpenRouter models", [`data must be a list of 1 to ${modelsMost} models`]);
  }
  const prices: Price[] = [];
  const skipped: { id: string; why: string }[] = [];
  const seen = new Set<string>();
  for (const model of models) {
    const id = isRecord(model) && typeof model.id === "string" ? model.id.slice(0, 256) : "?";
    const read = seen.has(id) ? "listed twice" : readModel(model, effectiveFrom);
    seen.add(id);
    if (typeof read === "string") skipped.push({ id, why: read });
    else prices.push(read);
  }
  return { prices, skipped };
}

function readModel(model: unknown, effectiveFrom: string): Price | string {
  if (!isRecord(model) || !isRecord(model.pricing)) return "has no pricing";
  const { overrides, ...pricing } = model.pricing;
  const top = isRecord(model.top_provider) ? model.top_provider : {};
  try {
    return parsePrice({
      provider: "openrouter",
      model: model.id,
      currency: "USD",
      effective_from: effectiveFrom,
      source: "openrouter",
      context_tokens: model.context_length,
      max_output_tokens: top.max_completion_tokens,
      ...readRates(pricing),
      tiers: readTiers(overrides ?? []),
    });
  } catch (error) {
    if (error instanceof PriceError) return error.faults.join("; ");
    throw error;
  }
}

/** Our fields for one set of theirs. Throws a PriceError for what cannot be charged with. */
function readRates(pricing: Readonly<Record<string, unknown>>): Record<string, string> {
  const rates: Record<string, string> = {};
  for (const [name, value] of Object.entries(pricing)) {
    if (value === null || ignoredFields.includes(name)) continue;
    const price = readPerUnit(name, value);
    if (name === "request") rates.request = price.toFixed();
    else if (isTokenField(name)) {
      const perMillion = price.mul(1_000_000);
      if (perMillion.gt(perMillionMost)) {
        throw unchargeable(`${name} is ${perMillion.toFixed()} per million tokens: wrong unit?`);
      }
      const isRequired = name === "prompt" || name === "completion";
      if (isRequired || !price.isZero()) rates[tokenFields[name]] = perMillion.toFixed();
    } else if (!price.isZero()) throw unchargeable(`${name} is not metered`);
  }
  return rates;
}

/**
 * Their conditional prices as our tiers. Among those that apply the later one wins, price by price, so each tier
 * gathers what all lower or equal thresholds say, in the order listed.
 */
function readTiers(overrides: unknown): readonly Record<string, unknown>[] {
  if (!Array.isArray(overrides) || !overrides.every(isRecord)) {
    throw unchargeable("overrides must be a list");
  }
  const conditional = overrides.map(({ min_prompt_tokens: above, ...rest }) => {
    const condition = Object.keys(rest).find((name) => name.startsWith("utc_"));
    if (condition !== undefined) throw unchargeable(`the price depends on ${condition}`);
    if (typeof above !== "number") throw unchargeable("an override has no min_prompt_tokens");
    return { above, rates: readRates(rest) };
  });
  const priced = conditional.filter((entry) => Object.keys(entry.rates).length > 0);
  const thresholds = [...new Set(priced.map((entry) => entry.above))];
  return thresholds.map((threshold) => ({
    above_input_tokens: threshold,
    ...Object.fromEntries(
      priced.flatMap(({ above, rates }) => (above <= threshold ? Object.entries(rates) : [])),
    ),
  }));
}

function readPerUnit(name: string, value: unknown) {
  // Their numbers are strings that may carry an exponent, which stays exact in decimals.
  if (typeof value !== "string" || !/^-?\d{1,10}(\.\d{1,20})?(e-?\d{1,2})?$/i.test(value)) {
    throw unchargeable(`${name} is not a decimal string`);
  }
  const price = new ExactDecimal(value);
  if (price.isNegative()) throw unchargeable(`${name} varies`);
  return price;
}

function isTokenField(name: string): name is keyof typeof tokenFields {
  return Object.hasOwn(tokenFields, name);
}

function unchargeable(fault: string): PriceError {
  return new PriceError("OpenRouter model", [fault]);
}
