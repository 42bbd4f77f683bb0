import { AppError } from "@farebox/kit/app-error";
import type { Pool } from "@farebox/kit/mysql";
import type { PageTokens } from "@farebox/kit/page-token";
import { pageSizeOf } from "../domain/page-size.ts";
import type { AccountFactsCache } from "../store/account-facts.ts";
import {
  type DeviceChargeFilter,
  listDeviceCharges as readCharges,
  readRateCards,
} from "../store/device-charge-store.ts";
import { type ExplainedDeviceCharge, explainStoredCharge } from "./explain-device-charge.ts";
import { cutPage, type Page, type PageRequest } from "./page.ts";

export type ListDeviceChargesDeps = {
  readonly pool: Pool;
  readonly pageTokens: PageTokens;
  readonly facts: AccountFactsCache;
};

/**
 * Lists charges of devices with their arithmetic, newest first: of one account, or of all when `accountId` is empty, which
 * only operators may ask for. Errors: ACCOUNT_NOT_FOUND, PAGE_TOKEN_INVALID.
 */
export async function listDeviceCharges(
  deps: ListDeviceChargesDeps,
  input: PageRequest & DeviceChargeFilter,
): Promise<Page<ExplainedDeviceCharge>> {
  const { accountId, allocationId } = input;
  const query = ["ListDeviceCharges", accountId, allocationId];
  const cursor = deps.pageTokens.read(query, input.pageToken)?.[0];
  const limit = pageSizeOf(input.pageSize);
  const after = cursor === undefined ? undefined : String(cursor);
  if (accountId !== "") {
    await deps.facts.load([accountId]);
    if (deps.facts.get(accountId) === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  }
  const rows = await readCharges(
    deps.pool,
    { accountId, allocationId },
    { after, limit: limit + 1 },
  );
  const page = cutPage(rows, limit, ({ id }) => deps.pageTokens.write(query, [id]));
  const cards = await readRateCards(
    deps.pool,
    page.rows.map((row) => row.rateCardId),
  );
  return { ...page, rows: page.rows.map((row) => explainStoredCharge(row, cards)) };
}
