import type { Orm } from "@farebox/kit/orm";
import type { AccessSince } from "../watch/access-feed.ts";
import { accountsChangedSince, findAccounts } from "./account-store.ts";
import { apiKeysChangedSince } from "./api-key-store.ts";

const changesMax = 2_000;

/** Reads the keys and accounts that changed at or after an instant; undefined when there are more than can be told. */
export async function readAccessChanges(
  orm: Orm,
  sinceMs: number,
): Promise<AccessSince | undefined> {
  return await orm.read(async (em) => {
    const keys = await apiKeysChangedSince(em, sinceMs, changesMax + 1);
    const accounts = await accountsChangedSince(em, sinceMs, changesMax + 1);
    if (keys.length > changesMax || accounts.length > changesMax) return undefined;
    const owners = await findAccounts(
      em,
      keys.map((key) => key.accountId),
    );
    return {
      accounts,
      keys: keys.flatMap((apiKey) => {
        const account = owners.get(apiKey.accountId);
        return account ? [{ apiKey, account, updateTimeMs: apiKey.updateTimeMs }] : [];
      }),
    };
  });
}
