import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import type { AutoRecharge } from "../domain/auto-recharge.ts";
import { capabilitiesOf } from "../domain/method-capabilities.ts";
import { readAutoRecharge, saveAutoRecharge } from "../store/auto-recharge-store.ts";
import type { PaymentDeps } from "./payment-deps.ts";
import { requireMethod } from "./read-methods.ts";
import { requirePayable } from "./require-payable.ts";

/** Money as it is asked for; an empty currency is the account's. */
type AskedMoney = { readonly nanos: Nanos; readonly currencyCode: string };

export type SetAutoRechargeInput = {
  readonly accountId: string;
  readonly enabled: boolean;
  readonly threshold: AskedMoney | undefined;
  readonly amount: AskedMoney | undefined;
  /** Empty for the default one. */
  readonly paymentMethodId: string;
  readonly limitPerMonth: AskedMoney | undefined;
  /** 0 for three. */
  readonly attemptsPerDay: number;
};

const attemptsPerDayDefault = 3;

/**
 * Replaces how an account recharges by itself, and forgets earlier failures. An attempt that is under way goes on, and how it
 * ends says nothing of the new setting.
 *
 * Errors: INVALID_ARGUMENT, ACCOUNT_NOT_FOUND, CURRENCY_MISMATCH, AMOUNT_NOT_PAYABLE, PAYMENT_METHOD_NOT_FOUND,
 * PAYMENT_METHOD_UNSUITABLE.
 */
export async function setAutoRecharge(
  deps: PaymentDeps,
  input: SetAutoRechargeInput,
): Promise<AutoRecharge> {
  const { accountId, enabled, paymentMethodId } = input;
  const { account } = await deps.accounts.getAccount({ accountId });
  const currencyCode = account?.currencyCode ?? "";
  const nanosOf = (money: AskedMoney | undefined, field: string) =>
    requireNanos(money, { field, currencyCode });
  const threshold = nanosOf(input.threshold, "threshold") ?? 0n;
  const amount = nanosOf(input.amount, "amount") ?? 0n;
  const limitPerMonth = nanosOf(input.limitPerMonth, "limit_per_month");
  if (enabled) requirePayable(amount, currencyCode);
  if (limitPerMonth !== undefined && limitPerMonth < amount) {
    throw fieldError("limit_per_month", "must not be below amount");
  }
  if (enabled || paymentMethodId !== "") {
    const { kind } = await requireMethod(deps, { accountId, id: paymentMethodId });
    if (!capabilitiesOf(kind)?.offSession) {
      const metadata = { field: "payment_method_id" };
      throw new AppError("PAYMENT_METHOD_UNSUITABLE", undefined, { metadata });
    }
  }
  const setting: AutoRecharge = {
    ...{ accountId, currencyCode, threshold, amount, paymentMethodId, limitPerMonth },
    isEnabled: enabled,
    attemptsPerDay: input.attemptsPerDay || attemptsPerDayDefault,
    ...{ failedAttempts: 0, nextAttemptMs: undefined, disabledReason: "" },
    setTimeMs: deps.clock.nowMs(),
  };
  await saveAutoRecharge(deps.pool, setting, setting.setTimeMs);
  return setting;
}

/** Reads an account's setting; undefined when it was never set. */
export function getAutoRecharge(
  { pool }: Pick<PaymentDeps, "pool">,
  accountId: string,
): Promise<AutoRecharge | undefined> {
  return readAutoRecharge(pool, accountId);
}

function requireNanos(
  money: AskedMoney | undefined,
  of: { readonly field: string; readonly currencyCode: string },
): Nanos | undefined {
  if (money === undefined) return undefined;
  if (money.nanos < 0n) throw fieldError(of.field, "must not be negative");
  if (money.currencyCode === "" || money.currencyCode === of.currencyCode) return money.nanos;
  const metadata = { field: `${of.field}.currency_code`, expected: of.currencyCode };
  throw new AppError("CURRENCY_MISMATCH", undefined, { metadata });
}
