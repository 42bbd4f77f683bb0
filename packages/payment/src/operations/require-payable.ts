import { AppError } from "@farebox/kit/app-error";
import { formatNanos, type Nanos } from "@farebox/kit/money";
import { payableRange, toMinor } from "../domain/minor-units.ts";

/** An amount in the provider's smallest units. Errors: AMOUNT_NOT_PAYABLE, with what may be paid in that currency. */
export function requirePayable(amount: Nanos, currencyCode: string): bigint {
  const { min, max } = payableRange(currencyCode);
  const minor = toMinor(amount, currencyCode);
  if (minor !== undefined && amount >= min && amount <= max) return minor;
  const metadata = { field: "amount", minimum: formatNanos(min), maximum: formatNanos(max) };
  throw new AppError("AMOUNT_NOT_PAYABLE", undefined, { metadata });
}
