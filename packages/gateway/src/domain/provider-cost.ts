import { RateDecimal } from "@farebox/kit/money";
import { type JsonObject, objectOf } from "./json-value.ts";

/**
 * What OpenRouter says the call cost us, in nanos of US dollars, rounded half up; undefined when it does not say, or says
 * no amount. With a key of our own at the provider (`is_byok`) its `cost` is only the fee, so what the provider charged is
 * added. Information for reconciliation: it never changes what a customer pays.
 */
export function providerCostNanos(usage: JsonObject): bigint | undefined {
  const cost = amountNanos(usage.cost);
  if (cost === undefined || usage.is_byok !== true) return cost;
  return cost + (amountNanos(objectOf(usage.cost_details)?.upstream_inference_cost) ?? 0n);
}

/**
 * A JSON number is read by its shortest decimal spelling, which is the provider's own spelling up to 15 digits: six before
 * the point are left beside the nine that nanos keep.
 */
function amountNanos(value: unknown): bigint | undefined {
  if (typeof value === "string" ? !decimalText.test(value) : typeof value !== "number") {
    return undefined;
  }
  const amount = new RateDecimal(String(value));
  if (!amount.isFinite() || amount.isNegative() || amount.greaterThan(costMax)) return undefined;
  return BigInt(
    amount.times(1_000_000_000).toDecimalPlaces(0, RateDecimal.ROUND_HALF_UP).toFixed(),
  );
}

const decimalText = /^\d{1,9}(\.\d{1,18})?$/;

/** No single call costs a million dollars; more is a unit mistaken. */
const costMax = 1_000_000;
