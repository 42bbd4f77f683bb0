import { RateDecimal } from "@farebox/kit/money";

/**
 * Decimal arithmetic that never rounds what we multiply: quantity (16 digits) × unit rate (27) × mark-up (24) ×
 * exchange rate (30), and sums of a few of these, stay far below 160 digits.
 */
export const ExactDecimal = RateDecimal.clone({ precision: 160, toExpNeg: -160, toExpPos: 160 });

/** A decimal held to its last digit; an instance of `ExactDecimal`. */
export type Exact = InstanceType<typeof ExactDecimal>;

/**
 * Reads a plain non-negative decimal of at most ten whole digits and twenty decimals, and gives it back in its one
 * canonical spelling ("0.150" is "0.15"), so that equal prices make equal snapshots. Anything else is undefined:
 * signs, exponents, NaN, separators, and numbers that a float has already rounded.
 */
export function readDecimal(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^\d{1,10}(\.\d{1,20})?$/.test(value)) return undefined;
  return new ExactDecimal(value).toFixed();
}
