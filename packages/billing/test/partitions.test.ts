import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { type Clock, systemClock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import { createLogger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import type { Pool } from "@farebox/kit/mysql";
import { type FakeClock, fakeClock } from "@farebox/kit/testing/clock";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { dayMs, oldestKeptDayMs, uuidFloorHex } from "../src/domain/usage-day.ts";
import type { DecodedItem } from "../src/domain/usage-item.ts";
import { createMoneyEvents } from "../src/events.ts";
import { keepPartitions } from "../src/operations/keep-partitions.ts";
import { runReconciliation } from "../src/operations/run-reconciliation.ts";
import { settleItems } from "../src/operations/settle-items.ts";
import { createAccountFacts } from "../src/store/account-facts.ts";
import { createSnapshotPrices } from "../src/store/snapshot-prices.ts";
import { leaseFixture } from "./lease-fixture.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { nanoPrice, usageItem, writeNanoPrice } from "./usage-fixture.ts";

const startMs = Date.UTC(2026, 10, 21, 12);
const opened: TestDatabase[] = [];
let pool: Pool;
let clock: FakeClock;
let seen: string[];

beforeEach(async () => {
  const database = await openBillingDatabase();
  opened.push(database);
  pool = database.pool;
  clock = fakeClock(startMs);
  seen = [];
});
after(async () => {
  for (const database of opened) await database[Symbol.asyncDispose]();
});

const keep = (isServing: boolean, retentionDays = 90, sleep: Clock["sleep"] = clock.sleep) =>
  keepPartitions(
    {
      pool,
      clock: { ...clock, sleep },
      retentionDays,
      events: {
        partitionsAdded: (days) => void seen.push(`added ${days.length}`),
        partitionDropped: (day) => void seen.push(`dropped ${dayText(day)}`),
        overflowCounted: (rows) => void seen.push(`overflow ${rows}`),
      },
    },
    { isServing },
  );
const dayText = (ms: number) => new Date(ms).toISOString().slice(0, 10).replaceAll("-", "");

/** Rows by partition, those without rows included. */
async function partitions(): Promise<Record<string, number>> {
  const [names] = await pool.query<RowDataPacket[]>(
    `SELECT PARTITION_NAME AS name FROM information_schema.PARTITIONS
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'usage_transaction' ORDER BY PARTITION_ORDINAL_POSITION`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of names) {
    const [rows] = await pool.query<RowDataPacket[]>(
      `SELECT COUNT(*) AS count FROM usage_transaction PARTITION (${name})`,
    );
    counts[String(name)] = Number(rows[0]?.count);
  }
  return counts;
}

const idAt = (timeMs: number) =>
  Buffer.concat([Buffer.from(uuidFloorHex(timeMs).slice(0, 12), "hex"), newUuid().subarray(6)]);

async function insertAt(timeMs: number): Promise<void> {
  const id = idAt(timeMs);
  await pool.query(
    `INSERT INTO usage_transaction (account_id, id, request_id, service, provider, model, api_key_id, user_id, tenant_id,
       input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, audio_input_tokens, output_tokens,
       reasoning_tokens, audio_output_tokens, images, requests, usage_source, state, http_status, error_code, cost,
       from_lease, free_units, is_late, upstream_id, latency_ms, create_time)
     VALUES ('acc', ?, 'r', 's', 'p', 'm', '', '', '', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 200, 0, 1, 0, 0, 0, '', 1, ?)`,
    [id, new Date(timeMs)],
  );
}

test("makes a day for today and the three to come, once", async () => {
  await keep(false);
  await keep(true);
  assert.deepEqual(await partitions(), {
    p20261121: 0,
    p20261122: 0,
    p20261123: 0,
    p20261124: 0,
    pmax: 0,
  });
  assert.deepEqual(seen, ["added 4", "overflow 0", "overflow 0"]);
});

test("puts an id made in a day's last and first millisecond into its own day", async () => {
  await keep(false);
  const midnight = Date.UTC(2026, 10, 22);
  await insertAt(midnight - 1);
  await insertAt(midnight);
  assert.deepEqual(await partitions(), {
    p20261121: 1,
    p20261122: 1,
    p20261123: 0,
    p20261124: 0,
    pmax: 0,
  });
});

test("adds the day that comes into sight", async () => {
  await keep(false);
  await clock.advance(dayMs);
  await keep(true);
  assert.deepEqual(Object.keys(await partitions()), [
    "p20261121",
    "p20261122",
    "p20261123",
    "p20261124",
    "p20261125",
    "pmax",
  ]);
});

test("gives rows that landed in pmax their own days, and loses none", async () => {
  await insertAt(startMs - dayMs);
  await insertAt(startMs);
  await insertAt(startMs + dayMs);
  await keep(true);
  assert.deepEqual(await partitions(), {
    p20261120: 1,
    p20261121: 1,
    p20261122: 1,
    p20261123: 0,
    p20261124: 0,
    pmax: 0,
  });
});

test("splits pmax behind the newest day when the job was down for too long", async () => {
  await keep(false);
  await clock.advance(6 * dayMs);
  await insertAt(startMs + 5 * dayMs);
  await insertAt(startMs + 6 * dayMs);
  await keep(true);
  assert.deepEqual(await partitions(), {
    p20261121: 0,
    p20261122: 0,
    p20261123: 0,
    p20261124: 0,
    p20261126: 1,
    p20261127: 1,
    p20261128: 0,
    p20261129: 0,
    p20261130: 0,
    pmax: 0,
  });
});

test("raises the alarm for rows that no day is made for", async () => {
  await insertAt(startMs + 30 * dayMs);
  await keep(true);
  assert.deepEqual(await partitions(), {
    p20261121: 0,
    p20261122: 0,
    p20261123: 0,
    p20261124: 0,
    pmax: 1,
  });
  assert.deepEqual(seen, ["added 4", "overflow 1"]);
});

test("drops a day when it is over its retention and a day more", async () => {
  await keep(false, 2);
  await insertAt(startMs);
  await clock.advance(3 * dayMs);
  await keep(true, 2);
  assert.equal((await partitions()).p20261121, 1);
  await clock.advance(dayMs);
  await keep(true, 2);
  assert.deepEqual(Object.keys(await partitions())[0], "p20261122");
  assert.deepEqual(
    seen.filter((event) => event.startsWith("dropped")),
    ["dropped 20261121"],
  );
});

test("lets one of several processes do it", async () => {
  await Promise.all([keep(false), keep(false), keep(true), keep(true)]);
  assert.equal(seen.filter((event) => event.startsWith("added")).length, 1);
  assert.equal(Object.keys(await partitions()).length, 5);
});

test("gives way to a transaction that holds the table, and gets it later", async () => {
  const busy = await pool.getConnection();
  await busy.query("START TRANSACTION");
  await busy.query("SELECT COUNT(*) FROM usage_transaction");
  const keeping = keep(true);
  keeping.catch(() => undefined);
  while (clock.sleeping() === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  // The change has timed out and waits for its next try: settlement goes on meanwhile.
  await insertAt(startMs);
  await busy.query("COMMIT");
  busy.release();
  await clock.advance(2_000);
  await keeping;
  assert.deepEqual(await partitions(), {
    p20261121: 1,
    p20261122: 0,
    p20261123: 0,
    p20261124: 0,
    pmax: 0,
  });
});

test("adds and drops days while settlement goes on, and charges late items of a dropped day", async () => {
  await writeNanoPrice(pool);
  const log = createLogger({ name: "test", level: "silent" });
  const deps = {
    pool,
    clock,
    facts: createAccountFacts(pool),
    prices: createSnapshotPrices(pool),
    events: createMoneyEvents({ log, metrics: createMetrics() }),
    oldestKeptDayMs: () => oldestKeptDayMs(clock.nowMs(), 2),
  };
  const settling = (items: DecodedItem[]) => settleItems(deps, { items });
  const accountId = await leaseFixture(pool, clock).account(10_000);
  await keep(false, 2);
  const settle = (timeMs: number) =>
    settling([
      usageItem({
        accountId,
        id: idAt(timeMs).toString("hex"),
        priceSnapshotId: nanoPrice.id,
        cost: 1,
      }),
    ]);
  const statuses: string[] = [];
  for (let day = 0; day < 6; day += 1) {
    const nowMs = startMs + day * dayMs;
    const work = Array.from({ length: 20 }, (_, count) => settle(nowMs + count));
    // The first day is late by then: its partition is gone or about to go.
    const late = settle(startMs + 100 + day);
    const kept = keep(true, 2, systemClock.sleep);
    const [, ...done] = await Promise.all([kept, late, ...work]);
    statuses.push(...done.flat());
    await clock.advance(dayMs);
  }
  assert.deepEqual(new Set(statuses), new Set(["APPLIED"]));
  assert.equal(statuses.length, 6 * 21);
  const [late] = await pool.query<RowDataPacket[]>("SELECT COUNT(*) AS count FROM usage_late");
  assert.ok(Number(late[0]?.count) > 0);
  const input = { accountId, signal: new AbortController().signal };
  const report = await runReconciliation({ pool, clock, retentionDays: 2 }, input);
  assert.deepEqual(report.drifts, []);
  assert.deepEqual(await leaseFixture(pool, clock).balance(accountId), {
    available: 10_000 - 6 * 21,
    held: 0,
    open_leases: 0,
  });
});
