import { AppError } from "@farebox/kit/app-error";
import type { Orm } from "@farebox/kit/orm";
import { findAccount } from "../store/account-store.ts";

/** The currency that an account's amounts are in. Errors: ACCOUNT_NOT_FOUND. */
export async function accountCurrency(orm: Orm, accountId: string): Promise<string> {
  const found = await orm.read((em) => findAccount(em, accountId));
  if (found === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  return found.account.currencyCode;
}
