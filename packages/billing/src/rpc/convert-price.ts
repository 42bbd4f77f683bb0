import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { AppError } from "@farebox/kit/app-error";
import { type Price, parsePrice } from "@farebox/pricing/price";
import { PriceError } from "@farebox/pricing/price-error";
import type { PriceSnapshot } from "@farebox/pricing/snapshot";
import type { UnitRates } from "@farebox/pricing/unit-rates";
import type {
  PriceSchema,
  PriceSnapshotSchema,
  Price as ProtoPrice,
  Rates,
  RatesSchema,
} from "@farebox/proto/farebox/billing/v1/price";
import { snapshotName } from "./snapshot-name.ts";

/** A price as the contract carries it. */
export function toProtoPrice(price: Price): MessageInitShape<typeof PriceSchema> {
  return {
    provider: price.provider,
    model: price.model,
    currency: price.currency,
    effectiveFrom: timestampFromDate(new Date(price.effectiveFrom)),
    rates: toProtoRates(price.rates),
    tiers: price.tiers.map((tier) => ({
      aboveInputTokens: BigInt(tier.aboveInputTokens),
      rates: toProtoRates(tier.rates),
    })),
    contextTokens: BigInt(price.contextTokens),
    maxOutputTokens: BigInt(price.maxOutputTokens),
    source: price.source,
  };
}

/**
 * Reads a price of the operator's own; its instant is for the caller to read. Errors: INVALID_ARGUMENT that names every
 * field at fault.
 */
export function fromProtoPrice(price: ProtoPrice): Price {
  try {
    return parsePrice({
      provider: price.provider,
      model: price.model,
      currency: price.currency,
      context_tokens: Number(price.contextTokens),
      max_output_tokens: Number(price.maxOutputTokens),
      ...fromProtoRates(price.rates),
      tiers: price.tiers.map((tier) => ({
        above_input_tokens: Number(tier.aboveInputTokens),
        ...fromProtoRates(tier.rates),
      })),
    });
  } catch (error) {
    if (error instanceof PriceError) throw priceFault(error);
    throw error;
  }
}

/** Everything that a charge was computed with, as the contract carries it. */
export function toProtoSnapshot(
  snapshot: PriceSnapshot,
): MessageInitShape<typeof PriceSnapshotSchema> {
  const { markup, exchangeRate, accountCurrency, rounding } = snapshot;
  const spelled = ({ image, ...rates }: PriceSnapshot["rates"]): UnitRates =>
    image === null ? rates : { ...rates, image };
  const { provider, model, currency, effectiveFrom, source, contextTokens, maxOutputTokens } =
    snapshot;
  return {
    id: snapshotName(snapshot),
    price: toProtoPrice({
      provider,
      model,
      currency,
      effectiveFrom,
      source,
      contextTokens,
      maxOutputTokens,
      rates: spelled(snapshot.rates),
      tiers: snapshot.tiers.map((tier) => ({ ...tier, rates: spelled(tier.rates) })),
    }),
    markup,
    exchangeRate,
    accountCurrency,
    rounding,
  };
}

function toProtoRates(rates: Partial<UnitRates>): MessageInitShape<typeof RatesSchema> {
  return {
    input: rates.input ?? "",
    output: rates.output ?? "",
    cacheRead: rates.cacheRead ?? "",
    cacheWrite: rates.cacheWrite ?? "",
    cacheWrite1h: rates.cacheWrite1h ?? "",
    reasoning: rates.reasoning ?? "",
    audioInput: rates.audioInput ?? "",
    audioOutput: rates.audioOutput ?? "",
    image: rates.image ?? "",
    request: rates.request ?? "",
  };
}

/** An empty rate is one that is not given. */
function fromProtoRates(rates: Rates | undefined): Readonly<Record<string, string>> {
  const fields = {
    input: rates?.input,
    output: rates?.output,
    cache_read: rates?.cacheRead,
    cache_write: rates?.cacheWrite,
    cache_write_1h: rates?.cacheWrite1h,
    reasoning: rates?.reasoning,
    audio_input: rates?.audioInput,
    audio_output: rates?.audioOutput,
    image: rates?.image,
    request: rates?.request,
  };
  const given: Record<string, string> = {};
  for (const [name, rate] of Object.entries(fields)) if (rate) given[name] = rate;
  return given;
}

const rateNames: ReadonlySet<string> = new Set([
  "input",
  "output",
  "cache_read",
  "cache_write",
  "cache_write_1h",
  "reasoning",
  "audio_input",
  "audio_output",
  "image",
  "request",
]);

/** Faults begin with the field that a file would name; the contract keeps rates one record deeper. */
function priceFault(error: PriceError): AppError {
  const violations = error.faults.map((fault) => {
    const [, path = "", why = ""] = /^(\S*)\s+(.*)$/s.exec(fault) ?? [];
    const steps = path.split(".");
    const last = steps.pop() ?? "";
    const field = ["price", ...steps, ...(rateNames.has(last) ? ["rates"] : []), last].join(".");
    return { field, description: why };
  });
  const [first] = violations;
  return new AppError("INVALID_ARGUMENT", `${first?.field}: ${first?.description}`, {
    metadata: { field: first?.field ?? "price" },
    violations,
  });
}
