import { divideUp, type Nanos, nanosPerUnit } from "@farebox/kit/money";
import { type DeviceRateCard, deviceUnits } from "./device-rates.ts";
import {
  type DeviceDimension,
  type DeviceUsage,
  deviceDimensions,
  mapDeviceUsage,
} from "./device-usage.ts";
import { ExactDecimal } from "./exact-decimal.ts";

/** A card as fractions of a nano: usage × numerator, summed, over one denominator, is the exact charge. Compiled once. */
export type CompiledDeviceRates = {
  readonly card: DeviceRateCard;
  readonly denominator: bigint;
  readonly numerators: DeviceUsage;
};

/** A charge of one window, and what is left over for the next: less than a nano, in parts of the denominator. */
export type DeviceCharge = { readonly nanos: Nanos; readonly carry: bigint };

/** Compiles a card. Exact for every decimal that a card can hold. */
export function compileDeviceRates(card: DeviceRateCard): CompiledDeviceRates {
  const factor = new ExactDecimal(card.markup).mul(card.exchangeRate).mul(nanosPerUnit.toString());
  const rates = deviceDimensions.map((dimension) => factor.mul(card.rates[dimension]));
  const scale = 10n ** BigInt(Math.max(...rates.map((rate) => rate.dp())));
  const shared = deviceDimensions.reduce(
    (all, it) => leastCommonMultiple(all, deviceUnits[it].size),
    1n,
  );
  const numerator = (dimension: DeviceDimension) => {
    const rate = factor.mul(card.rates[dimension]).mul(scale.toString());
    return BigInt(rate.toFixed()) * (shared / deviceUnits[dimension].size);
  };
  const exact = mapDeviceUsage(numerator);
  const denominator = scale * shared;
  const common = deviceDimensions.reduce(
    (all, dimension) => greatestCommonDivisor(all, exact[dimension]),
    denominator,
  );
  return {
    card,
    denominator: denominator / common,
    numerators: mapDeviceUsage((dimension) => exact[dimension] / common),
  };
}

/**
 * What a window costs, rounded down, with what earlier windows left over. However a usage is cut into windows, the charges
 * add up to that of the whole, rounded down once. Throws a RangeError for a usage or a carry below zero.
 */
export function chargeDevice(
  rates: CompiledDeviceRates,
  usage: DeviceUsage,
  carry: bigint,
): DeviceCharge {
  if (carry < 0n || carry >= rates.denominator) throw new RangeError("carry is out of range");
  const total = carry + fractionsOf(rates, usage);
  return { nanos: total / rates.denominator, carry: total % rates.denominator };
}

/** What a usage can at most cost, rounded up: for a hold. Throws a RangeError for a usage below zero. */
export function boundDevice(rates: CompiledDeviceRates, usage: DeviceUsage): Nanos {
  return divideUp(fractionsOf(rates, usage), rates.denominator);
}

function fractionsOf({ numerators }: CompiledDeviceRates, usage: DeviceUsage): bigint {
  let total = 0n;
  for (const dimension of deviceDimensions) {
    const quantity = usage[dimension];
    if (quantity < 0n) throw new RangeError(`${dimension} is below zero`);
    total += quantity * numerators[dimension];
  }
  return total;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b);
}

function leastCommonMultiple(a: bigint, b: bigint): bigint {
  return (a / greatestCommonDivisor(a, b)) * b;
}
