import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Pool } from "@farebox/kit/mysql";
import type { Orm } from "@farebox/kit/orm";
import type { PageTokens } from "@farebox/kit/page-token";
import { pageSizeOf } from "../domain/page-size.ts";
import { uuidFloorHex } from "../domain/usage-day.ts";
import { findAccount } from "../store/account-store.ts";
import type { TransactionFilter } from "../store/transaction-filter.ts";
import { listAccountTransactions, walkTransactions } from "../store/transaction-reader.ts";
import { cutPage, type Page, type PageRequest } from "./page.ts";
import { type ListedTransaction, withCurrencies } from "./with-currencies.ts";

export type ListTransactionsDeps = {
  readonly orm: Orm;
  readonly pool: Pool;
  readonly pageTokens: PageTokens;
  readonly clock: Clock;
};

/** Ids are never made further ahead than this: what claims to be later is dead-lettered. */
const futureMsMax = 2 * 86_400_000;

/**
 * Lists attempts, newest first: of one account, or of all when `accountId` is empty, which only operators may ask for. A
 * page over all accounts may hold fewer rows than asked for, or none, and still have a next one: it ends when it has looked
 * through enough hours.
 *
 * Errors: ACCOUNT_NOT_FOUND, PAGE_TOKEN_INVALID.
 */
export async function listTransactions(
  deps: ListTransactionsDeps,
  input: PageRequest & TransactionFilter,
): Promise<Page<ListedTransaction>> {
  const { pageSize, pageToken, ...filter } = input;
  const query = ["ListTransactions", filter];
  const cursor = deps.pageTokens.read(query, pageToken)?.[0];
  const beforeHex = String(cursor ?? uuidFloorHex(deps.clock.nowMs() + futureMsMax));
  const limit = pageSizeOf(pageSize);
  const tokenAt = (idHex: string) => deps.pageTokens.write(query, [idHex]);
  if (filter.accountId !== "") {
    await requireAccount(deps.orm, filter.accountId);
    const rows = await listAccountTransactions(deps.pool, filter, { beforeHex, limit: limit + 1 });
    const page = cutPage(rows, limit, (last) => tokenAt(hexOf(last.id)));
    return { ...page, rows: await deps.orm.read((em) => withCurrencies(em, page.rows)) };
  }
  const { rows, reachedHex } = await walkTransactions(deps.pool, filter, {
    beforeHex,
    limit: limit + 1,
  });
  const page = cutPage(rows, limit, (last) => tokenAt(hexOf(last.id)));
  const reachedToken = reachedHex === undefined ? "" : tokenAt(reachedHex);
  return {
    rows: await deps.orm.read((em) => withCurrencies(em, page.rows)),
    nextPageToken: page.nextPageToken || reachedToken,
  };
}

async function requireAccount(orm: Orm, accountId: string): Promise<void> {
  const found = await orm.read((em) => findAccount(em, accountId));
  if (found === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
