import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openTestDatabase } from "@farebox/kit/testing/mysql";
import { benchDefaults, parseBenchOptions } from "../src/bench/bench-options.ts";
import type { BenchRow } from "../src/bench/bench-row.ts";
import { withBillingBench } from "../src/bench/billing/with-billing-bench.ts";
import { checkRun } from "../src/bench/conserve/check-run.ts";
import { UsageTally } from "../src/bench/conserve/usage-tally.ts";
import { gatewayLoad } from "../src/bench/gateway/gateway-load.ts";
import { readUpstreamLog } from "../src/bench/gateway/read-upstream-log.ts";
import { openInstallation } from "../src/bench/installation.ts";
import { benchUsages } from "../src/bench/load/bench-usages.ts";
import { cpuMicrosOf } from "../src/bench/load/cpu-time.ts";
import { runWrk } from "../src/bench/load/run-wrk.ts";
import { median, quantile } from "../src/bench/median.ts";
import { printReport } from "../src/bench/print-report.ts";
import { runBench } from "../src/bench/run-bench.ts";
import { scriptSpec } from "../src/bench/targets/script-spec.ts";
import { startChild } from "../src/child.ts";
import { findBinary } from "../src/databases/find-binary.ts";

const folder = mkdtempSync(join(tmpdir(), "farebox-bench-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const log = () => undefined;
const redisUrl = process.env.REDIS_URL ?? "";
const tiny = {
  ...benchDefaults,
  durationMs: 300,
  warmUpMs: 100,
  rounds: 1,
  accounts: 20,
  fibres: 16,
  openLoopPerSecond: 500,
};

test("the billing part charges every call exactly and writes its figures", async () => {
  await using database = await openTestDatabase();
  const jsonFile = join(folder, "bench.json");
  const options = { ...tiny, parts: ["billing"], jsonFile } as const;
  const given = { databaseUrl: database.url, redisUrl };
  const report = await runBench(options, { given, log });
  assert.deepEqual(report.faults, []);
  const rows: readonly BenchRow[] = JSON.parse(readFileSync(jsonFile, "utf8"));
  assert.deepEqual(rows, report.rows);
  assert.deepEqual(
    rows.map(({ name, unit, conserved }) => [name, unit, conserved]),
    [
      ["billing.settled_calls_per_s.spread", "1/s", true],
      ["billing.settled_calls_per_s.hot", "1/s", true],
      ["billing.cpu_us_per_call.spread.interceptor", "us", true],
      ["billing.cpu_us_per_call.spread.billing", "us", true],
      ["billing.cpu_us_per_call.hot.interceptor", "us", true],
      ["billing.cpu_us_per_call.hot.billing", "us", true],
      ["billing.admission_ms.p50", "ms", true],
      ["billing.admission_ms.p99", "ms", true],
      ["billing.added_ms.p50", "ms", true],
      ["billing.added_ms.p99", "ms", true],
    ],
  );
  for (const { name, value } of rows) assert.ok(value >= 0 && Number.isFinite(value), name);
  assert.match(printReport(report), /Conserved:/);
});

test("one call more, less or other than was delivered is a difference", async () => {
  await using database = await openTestDatabase();
  const home = mkdtempSync(join(folder, "home-"));
  const given = { databaseUrl: database.url, redisUrl };
  await using installation = await openInstallation({ home, given, profileFolder: undefined, log });
  const delivered = new UsageTally();
  const { faults } = await withBillingBench(installation, delivered, async ({ calls, fund }) => {
    const callers = await fund({ prefix: "few", count: 3, withKeys: true });
    await Promise.all([...callers, ...callers].map((caller) => calls.make(caller)));
  });
  assert.deepEqual(faults, []);
  const [first, second] = benchUsages;
  assert.ok(first !== undefined && second !== undefined);
  const check = { databaseUrl: database.url, delivered };
  delivered.add({ usage: { ...first, outputTokens: 1 }, calls: 1 });
  assert.equal((await checkRun(check)).length, 2, "a call that was not charged: count and usage");
  delivered.add({ usage: second, calls: -1 });
  const swapped = await checkRun(check);
  assert.equal(swapped.length, 2, "as many calls, but two of them of other usage");
  await database.pool.query("UPDATE usage_transaction SET cost = cost + 1 LIMIT 1");
  assert.ok((await checkRun(check)).length > swapped.length, "a nano too much");
});

test("wrk's load leaves no call unanswered, so that what was counted is what was served", {
  skip: findBinary(["wrk"]) === undefined && "wrk is not installed",
}, async () => {
  const { spec, url } = await scriptSpec(folder, { name: "upstream", file: "bench-upstream.ts" });
  await using upstream = await startChild(spec, { log });
  const apiKeys = Array.from({ length: 7 }, (_, at) => `key-${at}`);
  for (const isStream of [false, true]) {
    await readUpstreamLog(url);
    const load = gatewayLoad({ apiKeys, isStream, durationMs: 200 });
    const result = await runWrk({ url, connections: 16 }, load);
    const { answered, cut } = await readUpstreamLog(url);
    const served = answered.reduce((sum, line) => sum + line.calls, 0);
    assert.deepEqual([result.faults, served, cut], [[], result.answered, 0]);
    assert.ok(result.perSecond > 0);
  }
  const pid = upstream.pid();
  assert.ok(pid !== undefined && cpuMicrosOf(pid) > 0);
});

test("the command line says what is measured, and what is wrong with it", () => {
  assert.deepEqual(parseBenchOptions([]), benchDefaults);
  assert.deepEqual(
    parseBenchOptions(["gateway", "billing", "--json", "f", "--portkey", "--seconds", "2"]),
    {
      ...benchDefaults,
      parts: ["billing", "gateway"],
      jsonFile: "f",
      withPortkey: true,
      durationMs: 2_000,
    },
  );
  assert.throws(() => parseBenchOptions(["gatevay"]), /gatevay is not a part/);
  assert.throws(() => parseBenchOptions(["--seconds", "0"]), /--seconds 0 is not/);
  assert.throws(() => parseBenchOptions(["--fast"]), /usage: npm run bench/);
});

test("medians and quantiles are between their neighbours", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(quantile([0, 10], 0.99), 9.9);
  assert.ok(Number.isNaN(median([])));
});
