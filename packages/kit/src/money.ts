import { Decimal } from "decimal.js";

/** An exact amount of one currency: a whole number of nanos, 10⁻⁹ of its unit. Signed; never a float. */
export type Nanos = bigint;

/** Nanos in one unit of any currency. */
export const nanosPerUnit = 1_000_000_000n;

/** The largest magnitude an amount may have, so that sums of a few still fit a signed 64-bit column. */
export const nanosMax = 9_000_000_000_000_000_000n;

/** Decimal arithmetic for rates: exact for every product of prices, mark-ups and exchange rates we accept. */
export const RateDecimal = Decimal.clone({ precision: 60, toExpNeg: -60, toExpPos: 60 });

/** A rate with more digits than money has; an instance of `RateDecimal`. */
export type Rate = Decimal;

/**
 * Writes an amount as a decimal string without trailing zeros: 1500000000n is "1.5".
 * The exact inverse of `parseNanos`.
 */
export function formatNanos(nanos: Nanos): string {
  const magnitude = nanos < 0n ? -nanos : nanos;
  const fraction = (magnitude % nanosPerUnit).toString().padStart(9, "0").replace(/0+$/, "");
  const whole = (magnitude / nanosPerUnit).toString();
  return `${nanos < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

/**
 * Reads a decimal string as nanos. Returns undefined for anything that is not a plain decimal, has more than nine
 * decimals, or is beyond `nanosMax`: money is never rounded on the way in.
 */
export function parseNanos(text: string): Nanos | undefined {
  const match = /^(-?)(\d{1,10})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, whole = "0", fraction = ""] = match;
  const magnitude = BigInt(whole) * nanosPerUnit + BigInt(fraction.padEnd(9, "0"));
  if (magnitude > nanosMax) return undefined;
  return sign === "-" ? -magnitude : magnitude;
}

/** Divides rounding up (away from zero for positive numerators). The denominator must be positive. */
export function divideUp(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  return numerator > 0n && numerator % denominator !== 0n ? quotient + 1n : quotient;
}

/** The smaller of two amounts. */
export function minNanos(a: Nanos, b: Nanos): Nanos {
  return a < b ? a : b;
}

/** The larger of two amounts. */
export function maxNanos(a: Nanos, b: Nanos): Nanos {
  return a > b ? a : b;
}
