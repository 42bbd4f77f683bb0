import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { systemClock } from "@farebox/kit/clock";
import { createUuids, formatId } from "@farebox/kit/ids";
import { createLogger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import { charge } from "@farebox/pricing/charge";
import { compilePrice } from "@farebox/pricing/compiled-price";
import { ExactDecimal } from "@farebox/pricing/exact-decimal";
import { parseSnapshot } from "@farebox/pricing/snapshot";
import { noUsage, type Usage } from "@farebox/pricing/usage";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import {
  CostDimension,
  type CostRow,
  Granularity,
  ReportService,
  type Transaction,
} from "@farebox/proto/farebox/billing/v1/report_service";
import { AttemptState } from "@farebox/proto/farebox/billing/v1/usage";
import type { RowDataPacket } from "mysql2/promise";
import { dayStartMs } from "../src/domain/usage-day.ts";
import { createMoneyEvents } from "../src/events.ts";
import { settleItems } from "../src/operations/settle-items.ts";
import { createAccountFacts } from "../src/store/account-facts.ts";
import { createSnapshotPrices } from "../src/store/snapshot-prices.ts";
import { type BillingUnderTest, openAccount, startBillingForTest } from "./billing-under-test.ts";
import { usageItem } from "./usage-fixture.ts";

const nowMs = Date.now();
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Usage older than this goes to `usage_late`. */
const keptFromMs = dayStartMs(nowMs) - 2 * dayMs;

type Settled = {
  readonly id: string;
  readonly accountId: string;
  readonly requestId: string;
  readonly tenantId: string;
  readonly userId: string;
  readonly provider: string;
  readonly model: string;
  readonly state: number;
  readonly atMs: number;
  readonly cost: bigint;
  readonly usage: Usage;
};

let billing: BillingUnderTest;
let settled: readonly Settled[];
let accounts: readonly Awaited<ReturnType<typeof openAccount>>[];

before(async () => {
  billing = await startBillingForTest();
  accounts = await Promise.all([
    openAccount(billing, { tenantId: "north" }),
    openAccount(billing, { tenantId: "north" }),
    openAccount(billing, { tenantId: "south" }),
  ]);
  settled = await settleAll();
});
after(() => billing[Symbol.asyncDispose]());

const reports = (key?: string) => billing.client(ReportService, key);

/** Settles attempts of every account over the last days, as a gateway's journal would. */
async function settleAll(): Promise<readonly Settled[]> {
  const snapshots = await Promise.all(["gpt-4o-mini", "claude-sonnet-4-5"].map(readSnapshot));
  const uuids = new Map<number, () => Buffer>();
  const records: Settled[] = [];
  const items = Array.from({ length: 90 }, (_, index) => {
    const account = accounts[index % 3];
    const priced = snapshots[index % 2];
    assert.ok(account && priced);
    // Every third of an hour back to six days ago, several attempts at the same instant.
    const atMs = nowMs - Math.floor(index / 4) * 6 * hourMs - 1;
    const newId = uuids.get(atMs) ?? createUuids(() => atMs);
    uuids.set(atMs, newId);
    const isFailed = index % 10 === 9;
    const usage: Usage = isFailed
      ? noUsage
      : {
          ...noUsage,
          inputTokens: 1_000 + index,
          cacheReadTokens: index % 2 ? 250_000 : 11,
          cacheWriteTokens: index % 2 ? 7 : 0,
          outputTokens: 101 + index,
          reasoningTokens: index % 5,
        };
    const cost = charge(priced.compiled, usage);
    const id = newId().toString("hex");
    const record = {
      id: formatId("txn", Buffer.from(id, "hex")),
      accountId: account.accountId,
      requestId: `call-${Math.floor(index / 6)}`,
      tenantId: index % 3 === 2 ? "south" : "north",
      userId: `user-${index % 4}`,
      provider: priced.provider,
      model: priced.model,
      state: isFailed ? AttemptState.FAILED : AttemptState.SUCCEEDED,
      atMs,
      cost,
      usage,
    };
    records.push(record);
    return usageItem({
      ...record,
      id,
      cost: 0,
      costNanos: cost,
      attempt: 1 + (Math.floor(index / 3) % 2),
      priceSnapshotId: isFailed ? "" : priced.id,
      providerCostNanos: cost + 1n,
      usageSource: isFailed ? 4 : 1,
      startTimeMs: atMs,
      tags: ["team=a", "标签=b"],
    });
  });
  const deps = {
    pool: billing.pool,
    clock: systemClock,
    facts: createAccountFacts(billing.pool),
    prices: createSnapshotPrices(billing.pool),
    events: createMoneyEvents({
      log: createLogger({ name: "test", level: "silent" }),
      metrics: createMetrics(),
    }),
    oldestKeptDayMs: () => keptFromMs,
  };
  const statuses = await settleItems(deps, { items });
  assert.deepEqual(
    statuses,
    items.map(() => statuses[0]),
  );
  return records.sort((a, b) => (a.id < b.id ? 1 : -1));
}

async function readSnapshot(model: string) {
  const [rows] = await billing.pool.query<RowDataPacket[]>(
    "SELECT id, content FROM price_snapshot WHERE content LIKE ? AND content LIKE ? LIMIT 1",
    [`%"model":"${model}"%`, `%"provider":"${model.startsWith("gpt") ? "openai" : "anthropic"}"%`],
  );
  const snapshot = parseSnapshot(rows[0]?.content);
  return {
    id: rows[0]?.id.toString("hex"),
    provider: snapshot.provider,
    model: snapshot.model,
    compiled: compilePrice(snapshot),
  };
}

/** Every page of a list. */
async function listAll(
  request: Parameters<ReturnType<typeof reports>["listTransactions"]>[0],
  key?: string,
): Promise<readonly Transaction[]> {
  const seen: Transaction[] = [];
  let pageToken = "";
  do {
    const page = await reports(key).listTransactions({ ...request, pageToken });
    seen.push(...page.transactions);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return seen;
}

const idsOf = (rows: readonly { readonly id: string }[]) => rows.map((row) => row.id);

describe("ListTransactions", () => {
  it("has rows of days whose partition is gone", async () => {
    const [rows] = await billing.pool.query<RowDataPacket[]>(
      "SELECT COUNT(*) AS n FROM usage_late",
    );
    assert.ok(Number(rows[0]?.n) > 10);
  });

  for (const pageSize of [1, 4, 500]) {
    it(`goes through an account once, newest first, ${pageSize} at a time`, async () => {
      for (const { accountId, key } of accounts) {
        const own = settled.filter((it) => it.accountId === accountId);
        assert.deepEqual(idsOf(await listAll({ pageSize }, key)), idsOf(own));
        assert.deepEqual(idsOf(await listAll({ pageSize, accountId })), idsOf(own));
      }
    });
  }

  it("goes through all accounts once, newest first, for an operator", async () => {
    assert.deepEqual(idsOf(await listAll({ pageSize: 7 })), idsOf(settled));
  });

  const [middle] = [nowMs - 3 * dayMs];
  // biome-ignore format: a table is read by column
  const filters: [name: string, filter: Parameters<typeof listAll>[0], keeps: (it: Settled) => boolean][] = [
    ["a provider",     { provider: "openai" },                         (it) => it.provider === "openai"],
    ["a model",        { model: "claude-sonnet-4-5" },                 (it) => it.model === "claude-sonnet-4-5"],
    ["a user",         { userId: "user-2" },                           (it) => it.userId === "user-2"],
    ["a state",        { state: AttemptState.FAILED },                 (it) => it.state === AttemptState.FAILED],
    ["a request",      { requestId: "call-3" },                        (it) => it.requestId === "call-3"],
    ["a start",        { startTime: timestampFromMs(middle) },         (it) => it.atMs >= middle],
    ["an end",         { endTime: timestampFromMs(middle) },           (it) => it.atMs < middle],
    ["an exact start", { startTime: timestampFromMs(nowMs - 6 * hourMs - 1) }, (it) => it.atMs >= nowMs - 6 * hourMs - 1],
    ["an exact end",   { endTime: timestampFromMs(nowMs - 6 * hourMs - 1) },   (it) => it.atMs < nowMs - 6 * hourMs - 1],
    ["several",        { provider: "openai", userId: "user-0", state: AttemptState.SUCCEEDED }, (it) => it.provider === "openai" && it.userId === "user-0" && it.state === AttemptState.SUCCEEDED],
    ["nothing",        { provider: "nobody" },                         () => false],
  ];
  for (const [name, filter, keeps] of filters) {
    it(`filters by ${name}, in one account and over all`, async () => {
      const want = settled.filter(keeps);
      assert.ok(name === "nothing" || want.length > 0);
      assert.deepEqual(idsOf(await listAll({ ...filter, pageSize: 5 })), idsOf(want));
      const [first] = accounts;
      const own = want.filter((it) => it.accountId === first?.accountId);
      assert.deepEqual(idsOf(await listAll({ ...filter, pageSize: 5 }, first?.key)), idsOf(own));
    });
  }

  it("filters by tenant, for an operator only", async () => {
    const north = settled.filter((it) => it.tenantId === "north");
    assert.deepEqual(idsOf(await listAll({ tenantId: "north", pageSize: 9 })), idsOf(north));
    await assert.rejects(reports(accounts[0]?.key).listTransactions({ tenantId: "north" }), {
      reason: "PERMISSION_DENIED",
    });
  });

  it("shows all that was settled", async () => {
    const record = settled.find((it) => it.usage.cacheWriteTokens > 0);
    const rows = await listAll({ accountId: record?.accountId ?? "", pageSize: 500 });
    const row = rows.find((it) => it.id === record?.id);
    assert.ok(record && row);
    assert.deepEqual(row.cost?.amountNanos, record.cost);
    assert.deepEqual(row.cost?.currencyCode, "USD");
    assert.deepEqual(row.providerCost?.amountNanos, record.cost + 1n);
    assert.deepEqual(row.usage?.cacheReadTokens, BigInt(record.usage.cacheReadTokens));
    assert.deepEqual(row.usage?.reasoningTokens, BigInt(record.usage.reasoningTokens));
    assert.deepEqual(row.tags, ["team=a", "标签=b"]);
    assert.equal(row.createTime && timestampMs(row.createTime), record.atMs);
    assert.equal(row.tenantId, record.tenantId);
    assert.match(row.priceSnapshotId, /^prs_[0-9a-f]{32}$/);
    assert.equal(row.leaseId, "");
  });

  it("refuses times that run backwards, and another query's page token", async () => {
    const [startTime, endTime] = [timestampFromMs(nowMs), timestampFromMs(nowMs - 1)];
    await assert.rejects(reports().listTransactions({ startTime, endTime }), {
      reason: "INVALID_ARGUMENT",
      metadata: { field: "end_time" },
    });
    const { nextPageToken } = await reports().listTransactions({ pageSize: 1 });
    const other = { accountId: accounts[0]?.accountId ?? "", pageToken: nextPageToken };
    await assert.rejects(reports().listTransactions(other), { reason: "PAGE_TOKEN_INVALID" });
    await assert.rejects(reports().listTransactions({ accountId: "acc_none" }), {
      reason: "ACCOUNT_NOT_FOUND",
    });
  });
});

describe("GetCostSummary", () => {
  const sumOf = (rows: readonly { readonly cost: bigint }[]) =>
    rows.reduce((sum, row) => sum + row.cost, 0n);
  const span = {
    startTime: timestampFromMs(nowMs - 30 * dayMs),
    endTime: timestampFromMs(nowMs + 1),
  };

  // biome-ignore format: a table is read by column
  const dimensions: [CostDimension, string, (it: Settled) => string][] = [
    [CostDimension.TENANT,   "tenant",   (it) => it.tenantId],
    [CostDimension.ACCOUNT,  "account",  (it) => it.accountId],
    [CostDimension.USER,     "user",     (it) => it.userId],
    [CostDimension.API_KEY,  "api_key",  () => ""],
    [CostDimension.SERVICE,  "service",  () => "llm"],
    [CostDimension.PROVIDER, "provider", (it) => it.provider],
    [CostDimension.MODEL,    "model",    (it) => it.model],
  ];
  for (const [dimension, name, of] of dimensions) {
    it(`sums transactions by ${name}, to the last nano`, async () => {
      const { rows, total, totals } = await reports().getCostSummary({
        ...span,
        groupBy: [dimension],
      });
      const want = Map.groupBy(settled, of);
      assert.equal(rows.length, want.size);
      for (const row of rows) {
        const group = want.get(row.dimensions[name] ?? "?");
        assert.ok(group, row.dimensions[name]);
        checkRow(row, group);
      }
      assert.equal(total?.amountNanos, sumOf(settled));
      assert.equal(totals.length, 1);
      assert.deepEqual(
        costsOf(rows),
        costsOf(rows).toSorted((a, b) => (a < b ? 1 : -1)),
      );
    });
  }

  // biome-ignore format: a table is read by column
  const steps: [Granularity, string, (atMs: number) => number][] = [
    [Granularity.HOUR,  "hour",  (atMs) => Math.floor(atMs / hourMs) * hourMs],
    [Granularity.DAY,   "day",   (atMs) => dayStartMs(atMs)],
    [Granularity.MONTH, "month", (atMs) => Date.UTC(new Date(atMs).getUTCFullYear(), new Date(atMs).getUTCMonth())],
  ];
  for (const [granularity, name, begin] of steps) {
    it(`sums transactions by the ${name}, and by two dimensions within it`, async () => {
      const groupBy = [CostDimension.MODEL, CostDimension.USER];
      const { rows } = await reports().getCostSummary({ ...span, granularity, groupBy });
      const keyOf = (it: Settled) => `${begin(it.atMs)} ${it.model} ${it.userId}`;
      const want = Map.groupBy(settled, keyOf);
      assert.equal(rows.length, want.size);
      for (const row of rows) {
        const { model, user } = row.dimensions;
        const key = `${row.startTime && timestampMs(row.startTime)} ${model} ${user}`;
        checkRow(row, want.get(key) ?? []);
      }
    });
  }

  it("covers whole hours, and an account's key sees its own only", async () => {
    const [first] = accounts;
    const own = settled.filter((it) => it.accountId === first?.accountId);
    const mine = await reports(first?.key).getCostSummary(span);
    assert.equal(mine.total?.amountNanos, sumOf(own));
    const sixHours = {
      startTime: timestampFromMs(nowMs - 6 * hourMs),
      endTime: timestampFromMs(nowMs),
    };
    const recent = await reports(first?.key).getCostSummary(sixHours);
    const fromMs = Math.floor((nowMs - 6 * hourMs) / hourMs) * hourMs;
    assert.equal(recent.total?.amountNanos, sumOf(own.filter((it) => it.atMs >= fromMs)));
    const other = { ...span, accountId: accounts[1]?.accountId ?? "" };
    await assert.rejects(reports(first?.key).getCostSummary(other), {
      reason: "ACCOUNT_NOT_FOUND",
    });
  });

  it("sums each currency apart", async () => {
    const nothing = await openAccount(billing, { currencyCode: "EUR" });
    const { rows, totals, total } = await reports(nothing.key).getCostSummary(span);
    assert.deepEqual([rows, totals, total], [[], [], undefined]);
    await billing.pool.query("UPDATE account SET currency_code = 'EUR' WHERE id = ?", [
      accounts[2]?.accountId,
    ]);
    const all = await reports().getCostSummary(span);
    assert.deepEqual(all.totals.map((it) => it.cost?.currencyCode).sort(), ["EUR", "USD"]);
    assert.equal(all.total, undefined);
    await billing.pool.query("UPDATE account SET currency_code = 'USD' WHERE id = ?", [
      accounts[2]?.accountId,
    ]);
  });

  function checkRow(row: CostRow, group: readonly Settled[]): void {
    assert.equal(row.cost?.amountNanos, sumOf(group));
    assert.equal(row.attemptsCount, BigInt(group.length));
    const failed = group.filter((it) => it.state === AttemptState.FAILED);
    assert.equal(row.failedCount, BigInt(failed.length));
    for (const bucket of [
      "inputTokens",
      "cacheReadTokens",
      "cacheWriteTokens",
      "outputTokens",
      "reasoningTokens",
    ] as const) {
      const sum = group.reduce((total, it) => total + it.usage[bucket], 0);
      assert.equal(row.usage?.[bucket], BigInt(sum), bucket);
    }
  }

  function costsOf(rows: readonly CostRow[]): readonly bigint[] {
    return rows.map((row) => row.cost?.amountNanos ?? 0n);
  }
});

describe("ExplainCharge", () => {
  it("adds up to what every transaction cost, line by line", async () => {
    for (const record of settled) {
      const { accountId, id } = record;
      const { charges } = await reports().explainCharge({ accountId, requestId: id });
      const [explained, ...others] = charges;
      assert.ok(explained);
      assert.deepEqual(others, []);
      assert.equal(explained.transaction?.id, id);
      assert.equal(explained.total?.amountNanos, record.cost);
      const exact = explained.lines.reduce(
        (sum, line) => sum.add(line.amount),
        new ExactDecimal(0),
      );
      if (record.cost > 0n) assert.equal(explained.exactTotal, exact.toFixed());
      assert.equal(BigInt(exact.mul(1_000_000_000).ceil().toFixed()), record.cost);
      assert.equal(explained.snapshot?.id ?? "", explained.transaction?.priceSnapshotId);
      if (record.usage.cacheReadTokens > 200_000) {
        for (const line of explained.lines) assert.equal(line.tierAboveInputTokens, 200_000n);
      }
    }
  });

  it("explains every attempt of a request, first attempt first, of the caller's own account", async () => {
    const [first] = accounts;
    const { charges } = await reports(first?.key).explainCharge({ requestId: "call-2" });
    const own = settled.filter(
      (it) => it.accountId === first?.accountId && it.requestId === "call-2",
    );
    assert.equal(charges.length, 2);
    assert.deepEqual(
      charges.map((it) => it.transaction?.attempt),
      [1, 2],
    );
    assert.deepEqual(charges.map((it) => it.transaction?.id).sort(), idsOf(own).toSorted());
    assert.match(charges[0]?.text ?? "", /input tokens/);
  });

  it("answers another account's charge as if there were none", async () => {
    const theirs = settled.find((it) => it.accountId === accounts[1]?.accountId);
    const own = reports(accounts[0]?.key);
    for (const requestId of [
      theirs?.id ?? "",
      "never-heard-of",
      formatId("txn", Buffer.alloc(16)),
    ]) {
      await assert.rejects(own.explainCharge({ requestId }), { reason: "TRANSACTION_NOT_FOUND" });
    }
  });
});

describe("the figures", () => {
  it("agree: transactions, summary and balance", async () => {
    for (const { accountId, key } of accounts) {
      const { balance } = await billing.client(AccountService, key).getAccount({});
      const rows = await listAll({ accountId, pageSize: 500 });
      const sum = rows.reduce((total, row) => total + (row.cost?.amountNanos ?? 0n), 0n);
      assert.equal(balance?.spent?.amountNanos, sum);
    }
  });
});
