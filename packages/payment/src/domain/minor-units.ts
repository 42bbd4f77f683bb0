import { type Nanos, nanosPerUnit } from "@farebox/kit/money";

/** What Stripe counts in, and what it asks of amounts in a currency. */
type CurrencyUnits = { readonly digits: number; readonly step?: bigint };

// Source: docs.stripe.com/currencies, "Zero-decimal", "Three-decimal" and "Special cases", November 2026.
const zeroDecimal = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(" ");
const threeDecimal = "BHD JOD KWD OMR TND".split(" ");
const wholeUnits = ["ISK", "UGX"];

/** How a currency is counted: ISK and UGX by two digits that must be zero, those of three digits by tens. */
function unitsOf(currencyCode: string): CurrencyUnits {
  if (zeroDecimal.includes(currencyCode)) return { digits: 0 };
  if (threeDecimal.includes(currencyCode)) return { digits: 3, step: 10n };
  if (wholeUnits.includes(currencyCode)) return { digits: 2, step: 100n };
  return { digits: 2 };
}

/** The provider's own limit of digits: eight. */
const minorMax = 99_999_999n;

/** The least and the most that can be written as a payment, in nanos; the provider's own least is higher, and it says so. */
export function payableRange(currencyCode: string): { readonly min: Nanos; readonly max: Nanos } {
  const { step = 1n } = unitsOf(currencyCode);
  return {
    min: step * nanosPerMinor(currencyCode),
    max: (minorMax - (minorMax % step)) * nanosPerMinor(currencyCode),
  };
}

/** An amount in the smallest units that the provider counts; undefined when it is not a whole number of what it takes. */
export function toMinor(nanos: Nanos, currencyCode: string): bigint | undefined {
  const { step = 1n } = unitsOf(currencyCode);
  const unit = nanosPerMinor(currencyCode) * step;
  return nanos > 0n && nanos % unit === 0n ? nanos / nanosPerMinor(currencyCode) : undefined;
}

/** The provider's count as nanos. */
export function fromMinor(minor: bigint, currencyCode: string): Nanos {
  return minor * nanosPerMinor(currencyCode);
}

function nanosPerMinor(currencyCode: string): bigint {
  return nanosPerUnit / 10n ** BigInt(unitsOf(currencyCode).digits);
}
