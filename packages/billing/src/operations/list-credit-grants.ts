import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Orm } from "@farebox/kit/orm";
import type { PageTokens } from "@farebox/kit/page-token";
import type { CreditGrant } from "../domain/credit-grant.ts";
import { pageSizeOf } from "../domain/page-size.ts";
import { findAccount } from "../store/account-store.ts";
import { listGrantsByAge, listOpenGrantsByUse } from "../store/credit-grant-reader.ts";
import { cutPage, type Page, type PageRequest } from "./page.ts";

export type ListCreditGrantsDeps = {
  readonly orm: Orm;
  readonly pageTokens: PageTokens;
  readonly clock: Clock;
};

/** A page of grants and the currency that they are in. */
export type CreditGrantPage = Page<CreditGrant> & { readonly currencyCode: string };

/**
 * Lists an account's grants: those with something left in the order they are used, or all of them, newest first.
 * Errors: ACCOUNT_NOT_FOUND, PAGE_TOKEN_INVALID.
 */
export async function listCreditGrants(
  deps: ListCreditGrantsDeps,
  input: PageRequest & { readonly accountId: string; readonly includeFinished: boolean },
): Promise<CreditGrantPage> {
  const { accountId, includeFinished } = input;
  const query = ["ListCreditGrants", accountId, includeFinished];
  const cursor = deps.pageTokens.read(query, input.pageToken);
  const limit = pageSizeOf(input.pageSize);
  return await deps.orm.read(async (em) => {
    const found = await findAccount(em, accountId);
    if (found === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
    const page = { accountId, cursor, limit: limit + 1 };
    const rows = includeFinished
      ? await listGrantsByAge(em, page)
      : await listOpenGrantsByUse(em, page, deps.clock.nowMs());
    const cut = cutPage(rows, limit, (last) => deps.pageTokens.write(query, last.cursor));
    const grants = cut.rows.map((row) => row.grant);
    return {
      rows: grants,
      nextPageToken: cut.nextPageToken,
      currencyCode: found.account.currencyCode,
    };
  });
}
