import { AppError } from "@farebox/kit/app-error";
import type { Orm } from "@farebox/kit/orm";
import type { PageTokens } from "@farebox/kit/page-token";
import type { LedgerEntry, LedgerKind } from "../domain/ledger-entry.ts";
import { pageSizeOf } from "../domain/page-size.ts";
import { findAccount } from "../store/account-store.ts";
import { listLedgerRows } from "../store/ledger-reader.ts";
import { cutPage, type Page, type PageRequest } from "./page.ts";

export type ListLedgerEntriesDeps = { readonly orm: Orm; readonly pageTokens: PageTokens };

export type LedgerFilter = {
  readonly accountId: string;
  /** Undefined for every kind. */
  readonly kind: LedgerKind | undefined;
  /** Inclusive. */
  readonly startMs: number | undefined;
  /** Exclusive. */
  readonly endMs: number | undefined;
};

/** A page of the ledger and the currency that it is in. */
export type LedgerPage = Page<LedgerEntry> & { readonly currencyCode: string };

/** Lists an account's ledger, newest first. Errors: ACCOUNT_NOT_FOUND, PAGE_TOKEN_INVALID. */
export async function listLedgerEntries(
  deps: ListLedgerEntriesDeps,
  input: PageRequest & LedgerFilter,
): Promise<LedgerPage> {
  const { pageSize, pageToken, ...filter } = input;
  const query = ["ListLedgerEntries", filter];
  const cursor = deps.pageTokens.read(query, pageToken)?.[0];
  const limit = pageSizeOf(pageSize);
  return await deps.orm.read(async (em) => {
    const found = await findAccount(em, filter.accountId);
    if (found === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
    const after = cursor === undefined ? undefined : Buffer.from(String(cursor), "hex");
    const rows = await listLedgerRows(em, filter, { after, limit: limit + 1 });
    const page = cutPage(rows, limit, (last) =>
      deps.pageTokens.write(query, [Buffer.from(last.id).toString("hex")]),
    );
    return { ...page, currencyCode: found.account.currencyCode };
  });
}
