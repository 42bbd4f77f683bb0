/**
 * Integers in floats, exactly or not at all.
 *
 * A sum of products of non-negative integers, computed in floats, is exact whenever it comes out at or below 2⁵³ − 1:
 * rounding is monotone, so a product or partial sum that truly reached 2⁵³ could only have made the result 2⁵³ or more.
 * So the result itself says whether it can be trusted, and NaN (a factor that no float holds) never can.
 */
export function isExact(sum: number): boolean {
  return sum <= Number.MAX_SAFE_INTEGER;
}

/**
 * The quotient rounded up. Exact for safe, non-negative integers: a quotient that is not whole lies at least
 * 1 ÷ denominator from every whole number, and with a numerator below 2⁵³ the float's rounding moves it less than that.
 */
export function divideUpFast(numerator: number, denominator: number): number {
  return Math.ceil(numerator / denominator);
}

/** The quotient rounded down. Exact for safe, non-negative integers, for the same reason. */
export function divideDownFast(numerator: number, denominator: number): number {
  return Math.floor(numerator / denominator);
}
