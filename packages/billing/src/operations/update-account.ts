import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Orm } from "@farebox/kit/orm";
import type { Account } from "../domain/account.ts";
import { changeAccount, findAccount } from "../store/account-store.ts";

export type UpdateAccountDeps = { readonly orm: Orm; readonly clock: Clock };

/** The fields to change; what is left out stays. */
export type AccountChange = Partial<
  Pick<Account, "displayName" | "disconnectPolicy" | "overdraftLimitNanos">
>;

/**
 * Changes an account. `read` makes the change out of the account, whose currency it may depend on. Lowering the overdraft
 * limit below what is owed undoes no debt: new calls are refused until it is paid.
 *
 * Errors: ACCOUNT_NOT_FOUND.
 */
export async function updateAccount(
  deps: UpdateAccountDeps,
  accountId: string,
  read: (account: Account) => AccountChange,
): Promise<Account> {
  return await deps.orm.write(async (em) => {
    const before = await findAccount(em, accountId);
    if (before === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
    const change = read(before.account);
    await changeAccount(em, accountId, change, deps.clock.nowMs());
    return { ...before.account, ...change };
  });
}
