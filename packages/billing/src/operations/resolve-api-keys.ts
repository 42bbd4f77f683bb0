import type { Orm } from "@farebox/kit/orm";
import type { Account } from "../domain/account.ts";
import type { ApiKey } from "../domain/api-key.ts";
import { findAccounts } from "../store/account-store.ts";
import { findApiKeysByHash } from "../store/api-key-store.ts";

/** A key, in any state, with the account it spends from. */
export type ResolvedKey = { readonly apiKey: ApiKey; readonly account: Account };

/** Tells what keys stand for, hash by hash in their order; undefined for a hash of no key. */
export async function resolveApiKeys(
  deps: { readonly orm: Orm },
  hashes: readonly Uint8Array[],
): Promise<readonly (ResolvedKey | undefined)[]> {
  return await deps.orm.read(async (em) => {
    const keys = await findApiKeysByHash(em, hashes);
    const accounts = await findAccounts(
      em,
      keys.map((key) => key.accountId),
    );
    const byHash = new Map(keys.map((key) => [hexOf(key.hash), key]));
    return hashes.map((hash) => {
      const apiKey = byHash.get(hexOf(hash));
      const account = apiKey && accounts.get(apiKey.accountId);
      return apiKey && account ? { apiKey, account } : undefined;
    });
  });
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
