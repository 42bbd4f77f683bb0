import { parsePrice } from "@farebox/pricing/price";
import { PriceError } from "@farebox/pricing/price-error";
import {
  type ModelInfo,
  type ModelPrice,
  type Provider,
  waitForUpdate,
} from "@pydantic/genai-prices";
import { Decimal } from "decimal.js";
import type { ModelAlias, PriceVersion } from "../domain/price-book.ts";
import { bundledAliases } from "./bundled-aliases.ts";

/** The prices that come with the installation, and by which other names their models go. */
export type BundledPrices = {
  readonly versions: readonly PriceVersion[];
  readonly aliases: readonly ModelAlias[];
  /** Models of the package that have no price here, and why. */
  readonly skipped: readonly { readonly id: string; readonly why: string }[];
};

/**
 * Reads the bundled price data. Left out, so that nothing is free or too cheap by accident: models that the package lists
 * without a token price, and those that charge more for something which a usage of ours does not tell apart (image or
 * video tokens, citations). Where a price depends on the hour of the day, the dearest hour counts at every hour.
 */
export async function loadBundledPrices(): Promise<BundledPrices> {
  const providers = (await waitForUpdate()) ?? [];
  const versions: PriceVersion[] = [];
  const aliases: ModelAlias[] = [];
  const skipped: { id: string; why: string }[] = [];
  for (const provider of providers) {
    for (const model of provider.models) {
      const read = readModel(provider, model);
      if (typeof read === "string") skipped.push({ id: `${provider.id}/${model.id}`, why: read });
      else versions.push(...read);
    }
    aliases.push(...bundledAliases(provider, providers));
  }
  return { versions, aliases, skipped };
}

function readModel(provider: Provider, model: ModelInfo): readonly PriceVersion[] | string {
  const conditional = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
  const hourly = conditional.filter((it) => it.constraint?.type === "time_of_date");
  const dated = conditional.filter((it) => it.constraint?.type !== "time_of_date");
  try {
    return dated.map(({ constraint, prices }) => {
      const effective = constraint?.type === "start_date" ? constraint.start_date : "1970-01-01";
      const price = parsePrice({
        provider: provider.id,
        model: model.id,
        currency: "USD",
        source: "bundled",
        effective_from: effective,
        context_tokens: model.context_window,
        ...fieldsOf(dearest([prices, ...hourly.map((it) => it.prices)])),
      });
      return { price, effectiveFromMs: Date.parse(price.effectiveFrom) };
    });
  } catch (error) {
    if (error instanceof PriceError) return error.faults.join("; ");
    throw error;
  }
}

/** The package's per-million token prices by our names. */
const tokenFields = {
  input_mtok: "input",
  output_mtok: "output",
  cache_read_mtok: "cache_read",
  cache_write_mtok: "cache_write",
  cache_write_1h_mtok: "cache_write_1h",
  output_reasoning_mtok: "reasoning",
  input_audio_mtok: "audio_input",
  output_audio_mtok: "audio_output",
} as const;

/**
 * Tokens that a usage counts in another bucket, which must then not be the cheaper one. What is read from a cache costs
 * as cached text, whatever it is: the difference is cents, and refusing the model for it would help nobody.
 */
const untoldFields = {
  input_image_mtok: "input_mtok",
  input_video_mtok: "input_mtok",
  output_image_mtok: "output_mtok",
  output_video_mtok: "output_mtok",
  output_citation_mtok: "output_mtok",
} as const;

type Rate = { readonly base: number; readonly tiers: readonly { start: number; price: number }[] };
type RateTable = Readonly<Record<string, Rate>>;

function fieldsOf(rates: RateTable): Readonly<Record<string, unknown>> {
  for (const [untold, counted] of Object.entries(untoldFields)) {
    if ((rates[untold]?.base ?? 0) > (rates[counted]?.base ?? 0)) {
      throw new PriceError("bundled model", [`${untold} is dearer and not metered apart`]);
    }
  }
  const input = rates.input_mtok;
  if (input === undefined) throw new PriceError("bundled model", ["has no token price"]);
  // Embeddings have no output and so no price for it.
  const sold: RateTable = { output_mtok: { base: 0, tiers: [] }, ...rates };
  const thresholds = new Set(
    Object.values(sold).flatMap((rate) => rate.tiers.map((it) => it.start)),
  );
  const requests = sold.requests_kcount;
  return {
    ...ratesAt(sold, 0),
    ...(requests && { request: new Decimal(requests.base).div(1000).toFixed() }),
    tiers: [...thresholds].map((start) => ({
      above_input_tokens: start,
      ...ratesAt(sold, start + 1),
    })),
  };
}

function ratesAt(rates: RateTable, promptTokens: number): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const [theirs, ours] of Object.entries(tokenFields)) {
    const rate = rates[theirs];
    if (rate) fields[ours] = new Decimal(rateAt(rate, promptTokens)).toFixed();
  }
  return fields;
}

function rateAt(rate: Rate, promptTokens: number): number {
  const tier = rate.tiers.findLast(({ start }) => promptTokens > start);
  return tier?.price ?? rate.base;
}

/** Rate by rate the dearest of several prices. Tiers are the first's: no price varies both by hour and by size. */
function dearest(prices: readonly ModelPrice[]): RateTable {
  const rates: Record<string, Rate> = {};
  for (const price of prices) {
    for (const [name, value] of Object.entries(price)) {
      if (value === undefined) continue;
      const rate = typeof value === "number" ? { base: value, tiers: [] } : sorted(value);
      const known = rates[name];
      if (known === undefined || rate.base > known.base) rates[name] = rate;
    }
  }
  return rates;
}

function sorted(rate: Rate): Rate {
  return { base: rate.base, tiers: rate.tiers.toSorted((a, b) => a.start - b.start) };
}
