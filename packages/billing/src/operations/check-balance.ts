import { AppError } from "@farebox/kit/app-error";
import type { Pool } from "@farebox/kit/mysql";
import { type Balance, emptyBalance } from "../domain/account.ts";
import type { AccountFactsCache } from "../store/account-facts.ts";
import { readWallet } from "../store/lock-wallets.ts";

export type CheckBalanceDeps = { readonly pool: Pool; readonly facts: AccountFactsCache };

/** An account's money, and the currency it is in. */
export type CheckedBalance = { readonly balance: Balance; readonly currencyCode: string };

/** Reads an account's money as last committed. It waits for nobody. Errors: ACCOUNT_NOT_FOUND. */
export async function checkBalance(
  deps: CheckBalanceDeps,
  accountId: string,
): Promise<CheckedBalance> {
  await deps.facts.load([accountId]);
  const facts = deps.facts.get(accountId);
  if (facts === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  const balance = (await readWallet(deps.pool, accountId)) ?? emptyBalance;
  return { balance, currencyCode: facts.currencyCode };
}
