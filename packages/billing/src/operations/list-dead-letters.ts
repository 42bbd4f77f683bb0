import type { Pool } from "@farebox/kit/mysql";
import type { PageTokens } from "@farebox/kit/page-token";
import type { DeadLetter } from "../domain/dead-letter.ts";
import { pageSizeOf } from "../domain/page-size.ts";
import { type DeadLetterFilter, readDeadLetters } from "../store/dead-letter-store.ts";
import { cutPage, type Page, type PageRequest } from "./page.ts";

export type ListDeadLettersDeps = { readonly pool: Pool; readonly pageTokens: PageTokens };

/** Lists dead letters of one state, oldest first. Errors: PAGE_TOKEN_INVALID. */
export async function listDeadLetters(
  deps: ListDeadLettersDeps,
  input: PageRequest & DeadLetterFilter,
): Promise<Page<DeadLetter>> {
  const { pageSize, pageToken, ...filter } = input;
  const query = ["ListDeadLetters", filter];
  const after = String(deps.pageTokens.read(query, pageToken)?.[0] ?? "");
  const limit = pageSizeOf(pageSize);
  const rows = await readDeadLetters(deps.pool, filter, { after, limit: limit + 1 });
  return cutPage(rows, limit, (last) => deps.pageTokens.write(query, [last.id]));
}
