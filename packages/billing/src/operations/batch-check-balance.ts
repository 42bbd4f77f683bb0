import type { Pool } from "@farebox/kit/mysql";
import { emptyBalance } from "../domain/account.ts";
import type { AccountFactsCache } from "../store/account-facts.ts";
import { readWallets } from "../store/lock-wallets.ts";
import type { CheckedBalance } from "./check-balance.ts";

export type BatchCheckBalanceDeps = { readonly pool: Pool; readonly facts: AccountFactsCache };

/** Reads the money of many accounts as last committed, in the order asked; those that do not exist are left out. */
export async function batchCheckBalance(
  deps: BatchCheckBalanceDeps,
  accountIds: readonly string[],
): Promise<readonly (CheckedBalance & { readonly accountId: string })[]> {
  const asked = [...new Set(accountIds)];
  await deps.facts.load(asked);
  const wallets = await readWallets(deps.pool, asked);
  return asked.flatMap((accountId) => {
    const facts = deps.facts.get(accountId);
    if (facts === undefined) return [];
    const balance = wallets.get(accountId) ?? emptyBalance;
    return [{ accountId, balance, currencyCode: facts.currencyCode }];
  });
}
