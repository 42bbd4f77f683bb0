import { AppError } from "@farebox/kit/app-error";
import type { Orm } from "@farebox/kit/orm";
import type { PageTokens } from "@farebox/kit/page-token";
import type { ApiKey } from "../domain/api-key.ts";
import { pageSizeOf } from "../domain/page-size.ts";
import { findAccount } from "../store/account-store.ts";
import { listApiKeyRows } from "../store/api-key-store.ts";
import { cutPage, type Page, type PageRequest } from "./page.ts";

export type ListApiKeysDeps = { readonly orm: Orm; readonly pageTokens: PageTokens };

/** Lists an account's keys in every state, newest first. Errors: ACCOUNT_NOT_FOUND, PAGE_TOKEN_INVALID. */
export async function listApiKeys(
  deps: ListApiKeysDeps,
  input: PageRequest & { readonly accountId: string },
): Promise<Page<ApiKey>> {
  const { accountId } = input;
  const query = ["ListApiKeys", accountId];
  const cursor = deps.pageTokens.read(query, input.pageToken)?.[0];
  const after = cursor === undefined ? undefined : Buffer.from(String(cursor), "hex");
  const limit = pageSizeOf(input.pageSize);
  return await deps.orm.read(async (em) => {
    if ((await findAccount(em, accountId)) === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
    const rows = await listApiKeyRows(em, { accountId, after, limit: limit + 1 });
    return cutPage(rows, limit, (last) =>
      deps.pageTokens.write(query, [Buffer.from(last.id).toString("hex")]),
    );
  });
}
