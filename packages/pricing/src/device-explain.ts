import { formatNanos, type Nanos, nanosPerUnit } from "@farebox/kit/money";
import { type DeviceRateCard, deviceUnits } from "./device-rates.ts";
import { type DeviceDimension, type DeviceUsage, deviceDimensions } from "./device-usage.ts";
import { type Exact, ExactDecimal } from "./exact-decimal.ts";

/** A device's charge taken apart. The lines sum to `exact`; `exact` rounded down once is the charge. */
export type DeviceExplanation = {
  readonly lines: readonly DeviceLine[];
  /** The whole charge before rounding: a decimal string, with 40 digits behind the point at most. */
  readonly exact: string;
  readonly roundedNanos: Nanos;
  /** The same in lines, for people. */
  readonly text: string;
};

/** amount = quantity ÷ unit size × rate × mark-up × exchange rate. */
export type DeviceLine = {
  readonly dimension: DeviceDimension;
  /** What the unit is called, for example "cpu_seconds". */
  readonly unit: string;
  readonly counted: bigint;
  /** In units. */
  readonly quantity: string;
  readonly rate: string;
  /** In the account's currency, before rounding. */
  readonly amount: string;
};

/**
 * Shows how a charge came about, from its card alone. It computes in decimals what `chargeDevice` computes in fractions, so
 * the two check each other.
 */
export function explainDeviceCharge(card: DeviceRateCard, usage: DeviceUsage): DeviceExplanation {
  const lines = deviceDimensions
    .filter((dimension) => usage[dimension] !== 0n)
    .map((dimension) => lineOf(card, dimension, usage[dimension]));
  // An hour is no power of ten: counted in parts of 1/3600, every quotient is finite, and the sum is exact.
  const parts = deviceDimensions.reduce(
    (sum, it) => sum.add(inCurrency(card, it, usage[it] * partsPerUnit)),
    new ExactDecimal(0),
  );
  const nanos = parts.mul(nanosPerUnit.toString()).div(partsPerUnit.toString());
  const roundedNanos = floorOf(parts.mul(nanosPerUnit.toString()), partsPerUnit);
  const exact = nanos.div(nanosPerUnit.toString()).toDecimalPlaces(40).toFixed();
  const { currency, accountCurrency, markup, exchangeRate } = card;
  const text = [
    ...lines.map(
      ({ unit, quantity, rate, amount }) =>
        `${unit} ${quantity} × ${rate} ${currency} × mark-up ${markup} × ${exchangeRate} = ${amount} ${accountCurrency}`,
    ),
    `exact total ${exact} ${accountCurrency}, rounded down once to 9 decimals: ${formatNanos(roundedNanos)} ${accountCurrency}`,
  ].join("\n");
  return { lines, exact, roundedNanos, text };
}

const partsPerUnit = 3_600n;

/** quantity ÷ unit size × rate × mark-up × exchange rate. */
function inCurrency(card: DeviceRateCard, dimension: DeviceDimension, counted: bigint): Exact {
  return new ExactDecimal(counted.toString())
    .div(deviceUnits[dimension].size.toString())
    .mul(card.rates[dimension])
    .mul(card.markup)
    .mul(card.exchangeRate);
}

/** A finite decimal divided by a whole number, rounded down. */
function floorOf(value: Exact, divisor: bigint): bigint {
  const scale = 10n ** BigInt(value.dp());
  return BigInt(value.mul(scale.toString()).toFixed()) / (divisor * scale);
}

function lineOf(card: DeviceRateCard, dimension: DeviceDimension, counted: bigint): DeviceLine {
  const { name, size } = deviceUnits[dimension];
  const quantity = new ExactDecimal(counted.toString()).div(size.toString());
  return {
    ...{ dimension, unit: name, counted, rate: card.rates[dimension] },
    quantity: quantity.toDecimalPlaces(12).toFixed(),
    amount: inCurrency(card, dimension, counted).toDecimalPlaces(18).toFixed(),
  };
}
