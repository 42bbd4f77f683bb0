import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Orm, openOrm } from "@farebox/kit/orm";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import { type Price, parsePrice } from "@farebox/pricing/price";
import type { EntityManager } from "@mikro-orm/mysql";
import {
  insertPriceVersions,
  newestContents,
  priceContentSha256,
  pricedModelKey,
} from "../src/store/price-store.ts";
import * as tables from "../src/store/tables.ts";
import { openBillingDatabase } from "./open-billing-database.ts";

const modelsCount = 40;
const versionsCount = 60;
const startMs = Date.UTC(2026, 0, 1);

let database: TestDatabase;
let orm: Orm;
before(async () => {
  database = await openBillingDatabase();
  orm = openOrm({ url: database.url, connectionsMax: 2, entities: Object.values(tables) });
});
after(async () => {
  await orm[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

function priceOf(source: Price["source"], provider: string, model: string, input: string): Price {
  return { ...parsePrice({ provider, model, input, output: "1" }), source };
}

/** Rows that statements of this connection have read so far. */
async function rowsRead(em: EntityManager): Promise<number> {
  const rows: { readonly Value: string }[] = await em.execute(
    "SHOW SESSION STATUS LIKE 'Handler\\\\_read\\\\_%'",
  );
  return rows.reduce((sum, row) => sum + Number(row.Value), 0);
}

test("of prices that changed often only the newest of each model of the source is read, whatever other sources say", async () => {
  const models = Array.from({ length: modelsCount }, (_, at) => `model-${at % 20}`);
  const providerOf = (at: number) => (at < 20 ? "one" : "two");
  const versions = Array.from({ length: versionsCount }, (_, version) => version);
  await orm.write(async (em) => {
    for (const version of versions) {
      // Not in the order of their time: what is newest is said by when it was stored.
      const age = (version * 7) % versionsCount;
      const prices = models.map((model, at) =>
        priceOf("openrouter", providerOf(at), model, `${age + 1}.${at}`),
      );
      await insertPriceVersions(
        em,
        prices.map((price) => ({ price })),
        startMs + age,
      );
    }
    const other = priceOf("override", "one", "model-3", "999");
    await insertPriceVersions(em, [{ price: other }], startMs + versionsCount);
  });
  const { found, read } = await orm.write(async (em) => {
    const before = await rowsRead(em);
    const asked = models.map((model, at) => ({ provider: providerOf(at), model }));
    const contents = await newestContents(em, "openrouter", [
      ...asked,
      { provider: "one", model: "never priced" },
    ]);
    return { found: contents, read: (await rowsRead(em)) - before };
  });
  const wanted = models.map((model, at): [string, string] => {
    const price = priceOf("openrouter", providerOf(at), model, `${versionsCount}.${at}`);
    return [pricedModelKey(price), priceContentSha256(price)];
  });
  assert.deepEqual(new Map([...found].sort()), new Map(wanted.sort()));
  assert.ok(read < modelsCount * 4, `${read} rows were read of ${modelsCount * versionsCount}`);
});
