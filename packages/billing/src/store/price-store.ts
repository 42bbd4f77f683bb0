import { createHash } from "node:crypto";
import { newUuid } from "@farebox/kit/ids";
import { type Price, type PriceSource, parsePrice, priceFields } from "@farebox/pricing/price";
import type { EntityManager } from "@mikro-orm/mysql";
import { PriceVersionRow } from "./tables.ts";

/** A stored price version. */
export type StoredPrice = {
  readonly id: string;
  readonly price: Price;
  readonly effectiveFromMs: number;
  readonly createTimeMs: number;
  /** Hash of everything but the instant it applies from. */
  readonly contentSha256: string;
};

const loadedMax = 200_000;

/** The versions in force or yet to come of every source and model, by age: what came before them is not read. */
export async function loadPriceVersions(
  em: EntityManager,
  nowMs: number,
): Promise<readonly StoredPrice[]> {
  const inForce = `SELECT id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY source, provider, model
      ORDER BY effective_from DESC, create_time DESC, id DESC) AS age
    FROM price_version WHERE effective_from <= ?) newest WHERE age = 1`;
  const rows = await em
    .createQueryBuilder(PriceVersionRow)
    .where(`id IN (${inForce}) OR effective_from > ?`, [new Date(nowMs), new Date(nowMs)])
    .orderBy({ createTime: "asc", id: "asc" })
    .limit(loadedMax)
    .getResultList();
  return rows.map(toStoredPrice);
}

/** Versions that were stored at or after an instant, by age. */
export async function priceVersionsSince(
  em: EntityManager,
  sinceMs: number,
): Promise<readonly StoredPrice[]> {
  const rows = await em.find(
    PriceVersionRow,
    { createTime: { $gte: new Date(sinceMs) } },
    { orderBy: { createTime: "asc", id: "asc" }, limit: loadedMax },
  );
  return rows.map(toStoredPrice);
}

/**
 * Hashes of the newest version that a source has stored of each of the models, by `pricedModelKey`; models without one are
 * left out. One version a model is read, however often its price has changed: grouping would leave it to the server whether
 * it reads them all.
 */
export async function newestContents(
  em: EntityManager,
  source: PriceSource,
  models: readonly PricedModel[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const batchMax = 200;
  for (let from = 0; from < models.length; from += batchMax) {
    const batch = models.slice(from, from + batchMax);
    const rows: NewestRow[] = await em.execute(
      batch.map(() => newestSql).join(" UNION ALL "),
      batch.flatMap(({ provider, model }) => [source, provider, model]),
    );
    for (const row of rows) found.set(pricedModelKey(row), row.content_sha256);
  }
  return found;
}

const newestSql = `(SELECT provider, model, LOWER(HEX(content_sha256)) AS content_sha256
  FROM price_version FORCE INDEX (price_version_newest) WHERE source = ? AND provider = ? AND model = ?
  ORDER BY create_time DESC, id DESC LIMIT 1)`;

/** A model by the name that a provider lists it under. */
export type PricedModel = { readonly provider: string; readonly model: string };

/** Names a provider's model among those of a source. */
export function pricedModelKey(of: PricedModel): string {
  return `${of.provider} ${of.model}`;
}

type NewestRow = {
  readonly provider: string;
  readonly model: string;
  readonly content_sha256: string;
};

/** Stores versions. Nothing that is stored ever changes. */
export async function insertPriceVersions(
  em: EntityManager,
  prices: readonly { readonly price: Price; readonly id?: Uint8Array }[],
  nowMs: number,
): Promise<void> {
  const batchMax = 500;
  for (let from = 0; from < prices.length; from += batchMax) {
    await em.insertMany(
      PriceVersionRow,
      prices.slice(from, from + batchMax).map(({ price, id }) => ({
        id: Buffer.from(id ?? newUuid()),
        source: price.source,
        provider: price.provider,
        model: price.model,
        effectiveFrom: new Date(price.effectiveFrom),
        contentSha256: Buffer.from(priceContentSha256(price), "hex"),
        content: JSON.stringify(priceFields(price)),
        createTime: new Date(nowMs),
      })),
    );
  }
}

/** A stored version by its id. */
export async function findPriceVersion(
  em: EntityManager,
  id: Uint8Array,
): Promise<StoredPrice | undefined> {
  const row = await em.findOne(PriceVersionRow, { id: Buffer.from(id) });
  return row === null ? undefined : toStoredPrice(row);
}

/** Hash of a price less the instant it applies from: equal for a price that was only pulled again. */
export function priceContentSha256(price: Price): string {
  const { effective_from: _, ...content } = priceFields(price);
  return createHash("sha256").update(JSON.stringify(content)).digest("hex");
}

function toStoredPrice(row: {
  readonly id: Uint8Array;
  readonly effectiveFrom: Date;
  readonly createTime: Date;
  readonly contentSha256: Uint8Array;
  readonly content: string;
}): StoredPrice {
  return {
    id: hexOf(row.id),
    price: parsePrice(JSON.parse(row.content)),
    effectiveFromMs: row.effectiveFrom.getTime(),
    createTimeMs: row.createTime.getTime(),
    contentSha256: hexOf(row.contentSha256),
  };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
