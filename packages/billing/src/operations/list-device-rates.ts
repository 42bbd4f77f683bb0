import type { Pool } from "@farebox/kit/mysql";
import type { PageTokens } from "@farebox/kit/page-token";
import { pageSizeOf } from "../domain/page-size.ts";
import {
  type DeviceRatesVersion,
  firstDeviceRates,
  listDeviceRates as readVersions,
} from "../store/device-rates-store.ts";
import { cutPage, type Page, type PageRequest } from "./page.ts";

export type ListDeviceRatesDeps = { readonly pool: Pool; readonly pageTokens: PageTokens };

/** Lists the versions of the device rates, the latest to take effect first, down to the one an installation begins with. */
export async function listDeviceRates(
  deps: ListDeviceRatesDeps,
  input: PageRequest,
): Promise<Page<DeviceRatesVersion>> {
  const query = ["ListDeviceRates"];
  const cursor = deps.pageTokens.read(query, input.pageToken);
  const limit = pageSizeOf(input.pageSize);
  const after = cursor && { effectiveFromMs: Number(cursor[0]), id: String(cursor[1]) };
  const stored = await readVersions(deps.pool, { after, limit: limit + 1 });
  const isEnd = stored.length <= limit;
  const rows = isEnd ? [...stored, firstDeviceRates] : stored;
  return cutPage(rows, limit, ({ effectiveFromMs, id }) =>
    deps.pageTokens.write(query, [effectiveFromMs, id]),
  );
}
