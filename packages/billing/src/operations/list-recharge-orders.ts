import type { Pool } from "@farebox/kit/mysql";
import type { PageTokens } from "@farebox/kit/page-token";
import { pageSizeOf } from "../domain/page-size.ts";
import type { PlacedOrder } from "../domain/recharge-order.ts";
import { listOrders, type OrderFilter } from "../store/recharge-order-store.ts";
import { cutPage, type Page, type PageRequest } from "./page.ts";

export type ListRechargeOrdersDeps = { readonly pool: Pool; readonly pageTokens: PageTokens };

/** Lists orders of an account, or of all when it names none, newest first. Errors: PAGE_TOKEN_INVALID. */
export async function listRechargeOrders(
  deps: ListRechargeOrdersDeps,
  input: PageRequest & OrderFilter,
): Promise<Page<PlacedOrder>> {
  const { pageSize, pageToken, ...filter } = input;
  const query = ["ListRechargeOrders", filter];
  const cursor = deps.pageTokens.read(query, pageToken)?.[0];
  const limit = pageSizeOf(pageSize);
  const after = cursor === undefined ? undefined : String(cursor);
  const rows = await listOrders(deps.pool, filter, { after, limit: limit + 1 });
  return cutPage(rows, limit, (last) => deps.pageTokens.write(query, [last.id]));
}
