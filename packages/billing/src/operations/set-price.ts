import { fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import type { Orm } from "@farebox/kit/orm";
import { type Price, priceFields } from "@farebox/pricing/price";
import type { LiveCatalogue } from "../prices/live-catalogue.ts";
import { findPriceVersion, insertPriceVersions } from "../store/price-store.ts";
import { requestOnce } from "../store/request-once.ts";
import { contentSha256 } from "./content-sha256.ts";

export type SetPriceDeps = {
  readonly orm: Orm;
  readonly clock: Clock;
  readonly catalogue: Pick<LiveCatalogue, "refresh">;
};

export type SetPriceInput = {
  readonly requestId: string;
  /** Its instant counts only when `effectiveFromMs` is given. */
  readonly price: Price;
  /** Undefined for now. */
  readonly effectiveFromMs: number | undefined;
};

/**
 * Adds a price version of the operator's own. It applies as soon as this returns, unless it is for later. The same request
 * id with the same content answers the same version.
 *
 * Errors: INVALID_ARGUMENT, REQUEST_ID_REUSED.
 */
export async function setPrice(deps: SetPriceDeps, input: SetPriceInput): Promise<Price> {
  const nowMs = deps.clock.nowMs();
  const effectiveFrom = new Date(input.effectiveFromMs ?? nowMs).toISOString();
  const price: Price = { ...input.price, effectiveFrom, source: "override" };
  // The column holds ASCII, as upstream names in transactions do.
  if (!/^[ -~]+$/.test(price.provider)) throw fieldError("price.provider", "must be ASCII");
  const { effective_from: _, ...content } = priceFields(price);
  const id = newUuid();
  const { isFirst, result } = await requestOnce(
    deps.orm,
    {
      accountId: "",
      method: "SetPrice",
      requestId: input.requestId,
      sha256: contentSha256([JSON.stringify(content), input.effectiveFromMs]),
      nowMs,
    },
    id,
    (em) => insertPriceVersions(em, [{ price, id }], nowMs),
  );
  await deps.catalogue.refresh();
  if (isFirst) return price;
  const stored = await deps.orm.read((em) => findPriceVersion(em, result));
  return stored?.price ?? price;
}
