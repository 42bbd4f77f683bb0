import type { Orm } from "@farebox/kit/orm";
import type { PageTokens } from "@farebox/kit/page-token";
import type { Account } from "../domain/account.ts";
import { pageSizeOf } from "../domain/page-size.ts";
import { listAccountRows } from "../store/account-store.ts";
import { cutPage, type Page, type PageRequest } from "./page.ts";

export type ListAccountsDeps = { readonly orm: Orm; readonly pageTokens: PageTokens };

/** Lists accounts, newest first; of one tenant when it is named. Errors: PAGE_TOKEN_INVALID. */
export async function listAccounts(
  deps: ListAccountsDeps,
  input: PageRequest & { readonly tenantId: string },
): Promise<Page<Account>> {
  const { tenantId } = input;
  const query = ["ListAccounts", tenantId];
  const [createTimeMs, id] = deps.pageTokens.read(query, input.pageToken) ?? [];
  const limit = pageSizeOf(input.pageSize);
  const after =
    id === undefined ? undefined : { createTimeMs: Number(createTimeMs), id: String(id) };
  const rows = await deps.orm.read((em) =>
    listAccountRows(em, { tenantId, after, limit: limit + 1 }),
  );
  return cutPage(rows, limit, (last) => deps.pageTokens.write(query, [last.createTimeMs, last.id]));
}
