import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Orm } from "@farebox/kit/orm";
import type { Account, Balance } from "../domain/account.ts";
import type { FreeQuota } from "../domain/free-quota.ts";
import { findAccount } from "../store/account-store.ts";
import { currentFreeQuotas } from "../store/free-quota-store.ts";

export type GetAccountDeps = { readonly orm: Orm; readonly clock: Clock };

/** An account as it stands: its money, and what it has for nothing in the periods of now. */
export type AccountStanding = {
  readonly account: Account;
  readonly balance: Balance;
  readonly freeQuotas: readonly FreeQuota[];
};

/** Reads an account as it stands. Errors: ACCOUNT_NOT_FOUND. */
export async function getAccount(
  deps: GetAccountDeps,
  accountId: string,
): Promise<AccountStanding> {
  return await deps.orm.read(async (em) => {
    const found = await findAccount(em, accountId);
    if (found === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
    return { ...found, freeQuotas: await currentFreeQuotas(em, accountId, deps.clock.nowMs()) };
  });
}
