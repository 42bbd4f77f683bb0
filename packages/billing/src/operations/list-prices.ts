import type { Orm } from "@farebox/kit/orm";
import type { PageTokens } from "@farebox/kit/page-token";
import type { Price } from "@farebox/pricing/price";
import { pageSizeOf } from "../domain/page-size.ts";
import type { LiveCatalogue } from "../prices/live-catalogue.ts";
import { findPriceSync, type PriceSync } from "../store/price-sync-store.ts";
import { cutPage, type Page, type PageRequest } from "./page.ts";

export type ListPricesDeps = {
  readonly orm: Orm;
  readonly pageTokens: PageTokens;
  readonly catalogue: Pick<LiveCatalogue, "current">;
};

/** A page of prices, and how the pulls go. */
export type PricePage = Page<Price> & { readonly sync: PriceSync };

/** Lists the prices in force and those to come, by provider, model and time. Errors: PAGE_TOKEN_INVALID. */
export async function listPrices(
  deps: ListPricesDeps,
  input: PageRequest & { readonly provider: string; readonly model: string },
): Promise<PricePage> {
  const { provider, model } = input;
  const query = ["ListPrices", provider, model];
  const cursor = deps.pageTokens.read(query, input.pageToken);
  const limit = pageSizeOf(input.pageSize);
  const matching = deps.catalogue
    .current()
    .versions.filter(
      ({ price }) =>
        (provider === "" || price.provider === provider) && (model === "" || price.model === model),
    );
  const from = cursor ? matching.findIndex((version) => isAfter(version, cursor)) : 0;
  const read = from === -1 ? [] : matching.slice(from, from + limit + 1);
  const page = cutPage(read, limit, ({ price, effectiveFromMs }) =>
    deps.pageTokens.write(query, [price.provider, price.model, effectiveFromMs]),
  );
  const sync = await deps.orm.read((em) => findPriceSync(em, "openrouter"));
  return { ...page, rows: page.rows.map(asListed), sync };
}

type Listed = { readonly price: Price; readonly effectiveFromMs: number };

function isAfter(
  { price, effectiveFromMs }: Listed,
  cursor: readonly (string | number)[],
): boolean {
  const [provider, model, fromMs] = cursor;
  if (price.provider !== provider) return price.provider > String(provider);
  if (price.model !== model) return price.model > String(model);
  return effectiveFromMs > Number(fromMs);
}

/** A version as it is listed: in force from when it counts, which a source that goes before it may delay. */
function asListed({ price, effectiveFromMs }: Listed): Price {
  return { ...price, effectiveFrom: new Date(effectiveFromMs).toISOString() };
}
