import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { listen } from "@farebox/kit/ops-server";
import { parseSnapshot } from "@farebox/pricing/snapshot";
import {
  CatalogService,
  SetFreeQuotaRequestSchema,
  type SetPriceRequestSchema,
  type WatchCatalogResponse,
} from "@farebox/proto/farebox/billing/v1/catalog_service";
import type { RowDataPacket } from "mysql2/promise";
import { type BillingUnderTest, startBillingForTest, uniqueRequest } from "./billing-under-test.ts";

let billing: BillingUnderTest;
let answer: RequestListener = (_, res) => res.writeHead(500).end();
let stopListing: () => Promise<void>;

before(async () => {
  const server = createServer((req, res) => answer(req, res));
  const port = await listen(server, "127.0.0.1", 0);
  stopListing = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  billing = await startBillingForTest({ OPENROUTER_MODELS_URL: `http://127.0.0.1:${port}/models` });
});
after(async () => {
  await billing[Symbol.asyncDispose]();
  await stopListing();
});

const catalog = () => billing.client(CatalogService);
const priceOf = (model: string, input: string, rest: object = {}) => ({
  provider: "house",
  model,
  currency: "USD",
  rates: { input, output: "1" },
  ...rest,
});
const inputsOf = async (provider: string, model: string) =>
  (await catalog().listPrices({ provider, model })).prices.map((price) => [
    price.source,
    price.rates?.input,
  ]);

describe("ListPrices", () => {
  it("goes through every price once, by provider, model and time", async () => {
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await catalog().listPrices({ pageSize: 500, pageToken });
      seen.push(
        ...page.prices.map((it) => `${it.provider}\n${it.model}\n${it.effectiveFrom?.seconds}`),
      );
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    assert.ok(seen.length > 2_000);
    assert.equal(new Set(seen).size, seen.length);
    const names = seen.map((it) => it.split("\n").slice(0, 2).join("\n"));
    assert.deepEqual(names, [...names].sort());
  });
});

describe("SetPrice", () => {
  it("goes before every other source at once, for every name of the model", async () => {
    assert.deepEqual(await inputsOf("openai", "gpt-4o-mini"), [["bundled", "0.15"]]);
    const price = { ...priceOf("gpt-4o-mini", "7.50"), provider: "openai" };
    const set = await catalog().setPrice({ requestId: uniqueRequest(), price });
    assert.deepEqual([set.price?.source, set.price?.rates?.input], ["override", "7.5"]);
    for (const name of ["gpt-4o-mini", "gpt-4o-mini-2024-07-18"]) {
      assert.deepEqual(await inputsOf("openai", name), [["override", "7.5"]]);
    }
    assert.deepEqual(await inputsOf("openai", "gpt-4o"), [["bundled", "2.5"]]);
  });

  it("answers the same version for any number of equal calls at once", async () => {
    const request = { requestId: uniqueRequest(), price: priceOf("once", "1") };
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => catalog().setPrice(request)),
    );
    for (const it of answers) assert.deepEqual(it, answers[0]);
    const [rows] = await billing.pool.query<RowDataPacket[]>(
      "SELECT COUNT(*) AS n FROM price_version WHERE model = 'once'",
    );
    assert.equal(Number(rows[0]?.n), 1);
    await assert.rejects(catalog().setPrice({ ...request, price: priceOf("once", "2") }), {
      reason: "REQUEST_ID_REUSED",
    });
  });

  it("keeps the price in force until a later one applies", async () => {
    const tomorrow = timestampFromMs(Date.now() + 86_400_000);
    const set = (price: ReturnType<typeof priceOf>) =>
      catalog().setPrice({ requestId: uniqueRequest(), price });
    await set(priceOf("later", "1"));
    await set(priceOf("later", "2", { effectiveFrom: tomorrow }));
    assert.deepEqual(await inputsOf("house", "later"), [
      ["override", "1"],
      ["override", "2"],
    ]);
  });

  // biome-ignore format: a table is read by column
  const faults: [field: string, price: MessageInitShape<typeof SetPriceRequestSchema>["price"]][] = [
    ["price.rates.input",           priceOf("x", "-1")],
    ["price.rates.input",           priceOf("x", "1e5")],
    ["price.rates.input",           priceOf("x", "1.123456789012345678901")],
    ["price.rates.input",           priceOf("x", "1000001")],
    ["price.rates.input",           priceOf("x", "")],
    ["price.rates.output",          priceOf("x", "1", { rates: { input: "1" } })],
    ["price.rates.cache_write_1h",  priceOf("x", "1", { rates: { input: "1", output: "1", cacheWrite1h: "x" } })],
    ["price.tiers[0].rates.output", priceOf("x", "1", { tiers: [{ aboveInputTokens: 1n, rates: { output: "?" } }] })],
    ["price.tiers",                 priceOf("x", "1", { tiers: [1n, 1n].map((it) => ({ aboveInputTokens: it, rates: { input: "1" } })) })],
    ["price.context_tokens",        priceOf("x", "1", { contextTokens: 9_007_199_254_740_993n })],
    ["price.context_tokens",        priceOf("x", "1", { contextTokens: -1n })],
    ["price.currency",              priceOf("x", "1", { currency: "usd" })],
    ["price.model",                 priceOf("", "1")],
    ["price.provider",              priceOf("x", "1", { provider: "供应商" })],
    ["price.effective_from",        priceOf("x", "1", { effectiveFrom: { seconds: -1n } })],
    ["price.rates",                 { provider: "house", model: "x", currency: "USD" }],
    ["price",                       undefined],
  ];
  for (const [field, price] of faults) {
    it(`names ${field} at fault`, async () => {
      const call = catalog().setPrice({ requestId: uniqueRequest(), ...(price && { price }) });
      await assert.rejects(call, { reason: "INVALID_ARGUMENT", metadata: { field } });
    });
  }
});

describe("SyncPrices", () => {
  const model = (id: string, prompt: string, completion = "0.000001") => ({
    id,
    context_length: 1000,
    pricing: { prompt, completion },
  });
  const serve = (models: readonly object[]) => {
    answer = (_, res) => void res.end(JSON.stringify({ data: models }));
  };

  it("stores what is new or changed, and says what it left out", async () => {
    serve([model("a/one", "0.000002"), model("a/two", "0.000003"), model("a/varies", "-1")]);
    const first = await catalog().syncPrices({});
    assert.deepEqual([first.pricesCount, first.changedCount, first.skippedCount], [2, 2, 1]);
    assert.deepEqual(await inputsOf("openrouter", "a/one"), [["openrouter", "2"]]);
    const again = await catalog().syncPrices({});
    assert.equal(again.changedCount, 0);
    serve([model("a/one", "0.000004")]);
    assert.equal((await catalog().syncPrices({})).changedCount, 1);
    assert.deepEqual(await inputsOf("openrouter", "a/one"), [["openrouter", "4"]]);
    // No longer listed: it keeps its last price.
    assert.deepEqual(await inputsOf("openrouter", "a/two"), [["openrouter", "3"]]);
    const listed = await catalog().listPrices({ pageSize: 1 });
    assert.equal(listed.lastSyncError, "");
    assert.ok(listed.lastSyncTime);
  });

  // biome-ignore format: a table is read by column
  const failures: [name: string, listener: RequestListener, why: RegExp][] = [
    ["answers an error",       (_, res) => void res.writeHead(503).end("busy"),                     /status 503/],
    ["redirects",              (_, res) => void res.writeHead(302, { location: "/" }).end(),        /status 302/],
    ["is not JSON",            (_, res) => void res.end("<html>"),                                  /JSON|token/],
    ["is another document",    (_, res) => void res.end('{"data":[]}'),                             /data must be a list/],
    ["breaks off",             breakOff,                                                               /./],
    ["never ends growing",     growForEver,                                                            /larger than/],
  ];
  for (const [name, listener, why] of failures) {
    it(`keeps the last good prices when the listing ${name}, and says so`, async () => {
      serve([model("a/kept", "0.000009")]);
      await catalog().syncPrices({});
      const before = await catalog().listPrices({ provider: "openrouter", pageSize: 500 });
      answer = listener;
      await assert.rejects(catalog().syncPrices({}), { reason: "UNAVAILABLE" });
      const after = await catalog().listPrices({ provider: "openrouter", pageSize: 500 });
      assert.match(after.lastSyncError, why);
      assert.deepEqual(after.lastSyncTime, before.lastSyncTime);
      assert.deepEqual(after.prices, before.prices);
    });
  }
});

/** Begins an answer, and closes the connection in the middle of it. */
function breakOff(_: IncomingMessage, res: ServerResponse): void {
  res.write('{"data":[');
  setImmediate(() => res.destroy());
}

/** Answers for as long as somebody reads. */
function growForEver(_: IncomingMessage, res: ServerResponse): void {
  const more = () => {
    while (!res.destroyed && res.write("x".repeat(65_536)));
    res.once("drain", more);
  };
  more();
}

describe("WatchCatalog", () => {
  it("pushes everything, then every change, then that there is none", async () => {
    const stream = catalog().watchCatalog({});
    const messages = stream[Symbol.asyncIterator]();
    const next = async () => {
      const { value } = await messages.next();
      assert.ok(value);
      return value as WatchCatalogResponse;
    };
    const all: WatchCatalogResponse[] = [];
    do all.push(await next());
    while (!all.at(-1)?.complete);
    assert.deepEqual(
      all.map((it) => it.reset),
      all.map((_, index) => index === 0),
    );
    for (const { entries } of all) assert.ok(entries.length <= 500);
    const entries = all.flatMap((it) => it.entries);
    const names = entries.map((it) =>
      [it.provider, it.model, it.accountCurrency, it.effectiveFromMs].join("\n"),
    );
    assert.equal(new Set(names).size, names.length);
    await checkSnapshots(entries);

    const price = { ...priceOf("gpt-4o", "99"), provider: "openai" };
    await catalog().setPrice({ requestId: uniqueRequest(), price });
    const changed = await next();
    assert.deepEqual([changed.reset, changed.complete], [false, true]);
    const models = changed.entries.map((it) => it.model);
    assert.ok(models.includes("gpt-4o") && models.includes("gpt-4o-2024-11-20"));
    assert.ok(!models.includes("gpt-4o-2024-05-13"));
    for (const it of changed.entries) {
      assert.equal(parseSnapshot(it.priceSnapshotJson).rates.input, "99");
    }
    await checkSnapshots(changed.entries);

    await catalog().setFreeQuota({ service: "pushed", period: 2, unit: 2, amount: 5n });
    const told = (await next()).freeQuotas.find((it) => it.service === "pushed");
    assert.deepEqual([told?.period, told?.unit, told?.amount], [2, 2, 5n]);

    const beat = await next();
    assert.deepEqual([beat.entries, beat.freeQuotas, beat.reset], [[], [], false]);
    stream.cancel();
  });

  /** Every snapshot is named by its content, and was stored before it was pushed. */
  async function checkSnapshots(entries: WatchCatalogResponse["entries"]) {
    const [rows] = await billing.pool.query<RowDataPacket[]>(
      "SELECT id, content FROM price_snapshot",
    );
    const stored = new Map(rows.map((row) => [row.id.toString("hex"), row.content]));
    for (const { priceSnapshotId, priceSnapshotJson } of entries) {
      const id = Buffer.from(priceSnapshotId).toString("hex");
      const hash = createHash("sha256").update(priceSnapshotJson).digest("hex");
      assert.equal(id, hash.slice(0, 32));
      assert.equal(stored.get(id), priceSnapshotJson);
    }
  }
});

describe("another billing process", () => {
  it("has the prices that were set before it started, and those that are set while it runs", async () => {
    const set = (input: string) =>
      catalog().setPrice({ requestId: uniqueRequest(), price: priceOf("shared", input) });
    await set("1");
    await set("2");
    await using other = await startBillingForTest({ DATABASE_URL: billing.databaseUrl });
    const listed = await other.client(CatalogService).listPrices({ model: "shared" });
    assert.deepEqual(
      listed.prices.map((price) => [price.source, price.rates?.input]),
      [["override", "2"]],
    );
    const stream = other.client(CatalogService).watchCatalog({});
    const messages = stream[Symbol.asyncIterator]();
    let isSynced = false;
    for (;;) {
      const { value } = await messages.next();
      const found = (value as WatchCatalogResponse).entries.find((it) => it.model === "shared");
      if (isSynced && found) {
        assert.equal(parseSnapshot(found.priceSnapshotJson).rates.input, "3");
        break;
      }
      if ((value as WatchCatalogResponse).complete && !isSynced) {
        isSynced = true;
        await set("3");
      }
    }
    stream.cancel();
  });
});

describe("SetFreeQuota", () => {
  it("sets a rule, changes it, and ends it", async () => {
    const set = (amount: bigint) =>
      catalog().setFreeQuota({ service: "changing", period: 3, unit: 1, amount });
    const amounts = async () =>
      (await catalog().listFreeQuotas({})).rules
        .filter((rule) => rule.service === "changing")
        .map((rule) => rule.amount);
    for (const [amount, want] of [
      [5n, [5n]],
      [5n, [5n]],
      [6n, [6n]],
      [0n, []],
    ] as const) {
      await set(amount);
      assert.deepEqual(await amounts(), want);
    }
  });

  // biome-ignore format: a table is read by column
  const faults: [field: string, change: { service?: string; period?: number; unit?: number; amount?: bigint }][] = [
    ["service", { service: "No Spaces" }],
    ["period",  { period: 0 }],
    ["period",  { period: 9 }],
    ["unit",    { unit: 0 }],
    ["amount",  { amount: -1n }],
    ["amount",  { amount: 1_000_000_000_001n }],
  ];
  for (const [field, change] of faults) {
    it(`names ${field} at fault`, async () => {
      const sound = { service: "llm", period: 1, unit: 1, amount: 1n } as const;
      const request = Object.assign(create(SetFreeQuotaRequestSchema, sound), change);
      await assert.rejects(catalog().setFreeQuota(request), {
        reason: "INVALID_ARGUMENT",
        metadata: { field },
      });
    });
  }
});

describe("the operator's files", () => {
  async function withFiles<T>(
    prices: string,
    quotas: string,
    fn: (env: Record<string, string>) => Promise<T>,
  ) {
    const home = await mkdtemp(join(tmpdir(), "farebox-catalogue-"));
    const env = {
      FAREBOX_PRICES: join(home, "prices.yaml"),
      FAREBOX_FREE_QUOTAS: join(home, "quotas.yaml"),
    };
    await writeFile(env.FAREBOX_PRICES, prices);
    await writeFile(env.FAREBOX_FREE_QUOTAS, quotas);
    try {
      return await fn(env);
    } finally {
      await rm(home, { recursive: true });
    }
  }

  it("override prices, give exchange rates, set free quotas, and can price what is unknown", async () => {
    const prices = `
prices:
  - {provider: openai, model: gpt-4o-mini, input: 0.2, output: 0.8}
  - {provider: "*", model: "*", input: 50, output: 100}
exchange_rates:
  - {from: USD, to: EUR, rate: "0.9"}
`;
    const quotas = "free_quotas: [{service: llm, period: month, unit: tokens, amount: 1000}]";
    await withFiles(prices, quotas, async (env) => {
      await using started = await startBillingForTest(env);
      const client = started.client(CatalogService);
      const { rules } = await client.listFreeQuotas({});
      assert.deepEqual(
        rules.map((rule) => [rule.service, rule.period, rule.unit, rule.amount]),
        [["llm", 3, 2, 1000n]],
      );
      const found: [string, string, string][] = [];
      const stream = client.watchCatalog({});
      for await (const { entries, complete } of stream) {
        for (const it of entries) {
          if (it.model !== "gpt-4o-mini-2024-07-18" && it.model !== "*") continue;
          if (it.provider !== "openai" && it.provider !== "*") continue;
          const { rates, exchangeRate } = parseSnapshot(it.priceSnapshotJson);
          found.push([`${it.provider}/${it.accountCurrency}`, exchangeRate, rates.input]);
        }
        if (complete) break;
      }
      stream.cancel();
      assert.deepEqual(found.sort(), [
        ["*/EUR", "0.9", "50"],
        ["*/USD", "1", "50"],
        ["openai/EUR", "0.9", "0.2"],
        ["openai/USD", "1", "0.2"],
      ]);
    });
  });

  it("keep billing from starting when they are not valid, naming file and field", async () => {
    await withFiles("prices: [{provider: a, model: b, input: -1, output: 1}]", "", async (env) => {
      await assert.rejects(startBillingForTest(env), /prices\.yaml: .*prices\[0\]\.input/);
    });
    await withFiles("", "free_quotas: [{service: llm}]", async (env) => {
      await assert.rejects(startBillingForTest(env), /quotas\.yaml: .*free_quotas\[0\]\.period/);
    });
  });
});
