import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import type { Money, MoneySchema } from "@farebox/proto/farebox/common/v1/money";

/** An amount as the contract carries it. */
export function toMoney(
  amountNanos: Nanos,
  currencyCode: string,
): MessageInitShape<typeof MoneySchema> {
  return { currencyCode, amountNanos };
}

/** Reads an amount in a currency; one that names no currency is in it. Errors: CURRENCY_MISMATCH. */
export function fromMoney(money: Money, currencyCode: string, field: string): Nanos {
  if (money.currencyCode !== "" && money.currencyCode !== currencyCode) {
    throw new AppError("CURRENCY_MISMATCH", undefined, {
      metadata: { field: `${field}.currency_code`, expected: currencyCode },
    });
  }
  return money.amountNanos;
}

/** Reads a limit: nothing is zero, and it may not be negative. Errors: CURRENCY_MISMATCH, INVALID_ARGUMENT. */
export function fromLimit(money: Money | undefined, currencyCode: string, field: string): Nanos {
  const amountNanos = money === undefined ? 0n : fromMoney(money, currencyCode, field);
  if (amountNanos < 0n) throw fieldError(`${field}.amount_nanos`, "must be zero or more");
  return amountNanos;
}
