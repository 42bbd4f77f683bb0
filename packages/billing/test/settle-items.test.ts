import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newUuid } from "@farebox/kit/ids";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import fc from "fast-check";
import type { RowDataPacket } from "mysql2/promise";
import type { DecodedItem } from "../src/domain/usage-item.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { assertConserved } from "./support/assert-conserved.ts";
import { type MoneyRoom, newItem, openMoneyRoom, storeDemoPrice } from "./support/money-room.ts";

let database: TestDatabase;
let room: MoneyRoom;

before(async () => {
  database = await openBillingDatabase();
  await storeDemoPrice(database.pool);
  room = openMoneyRoom(database.pool);
});
after(async () => {
  await assertConserved(database.pool);
  await database[Symbol.asyncDispose]();
});

async function leased(credited: bigint, estimated: bigint) {
  const accountId = await room.account(credited);
  const answer = await room.ask(accountId, { estimated });
  assert(answer.kind === "grant");
  return { accountId, leaseId: answer.lease.id };
}

async function deadLetters(accountId: string) {
  const [rows] = await database.pool.query<RowDataPacket[]>(
    "SELECT LOWER(HEX(item_id)) AS item_id, reason, field, held FROM settlement_dead_letter WHERE account_id = ? ORDER BY id",
    [accountId],
  );
  return rows.map((row) => [row.item_id, row.reason, row.field, row.held]);
}

test("delivered again, in any order and any batches, comes to what one delivery comes to", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(fc.nat()),
      async (costs, picks) => {
        const pick = () => picks.next().value ?? 0;
        const { accountId, leaseId } = await leased(200n, 90n);
        const items = costs.map((cost) => newItem(accountId, cost, { leaseId }));
        const deliveries = [...items, ...items, ...items].sort(() => (pick() % 3) - 1);
        while (deliveries.length > 0) {
          await room.settle(deliveries.splice(0, 1 + (pick() % 7)));
        }
        const total = BigInt(costs.reduce((sum, cost) => sum + cost, 0));
        const fromLease = total < 90n ? total : 90n;
        const excess = total - fromLease;
        assert.partialDeepStrictEqual(await room.balance(accountId), {
          spent: total,
          held: 90n - fromLease,
          available: excess > 110n ? 0n : 110n - excess,
          receivable: excess > 110n ? excess - 110n : 0n,
        });
        const rows = await room.count(`usage_transaction WHERE account_id = '${accountId}'`);
        assert.equal(rows, costs.length);
      },
    ),
    { numRuns: 15 },
  );
});

test("answers the second of two items with one id, in one batch or two, as DUPLICATE", async () => {
  const { accountId, leaseId } = await leased(100n, 100n);
  const item = newItem(accountId, 10, { leaseId });
  assert.deepEqual(await room.settle([item, item]), ["APPLIED", "DUPLICATE"]);
  assert.deepEqual(await room.settle([item, newItem(accountId, 1, { leaseId })]), [
    "DUPLICATE",
    "APPLIED",
  ]);
});

test("settles 999 of a thousand and puts aside the one that cannot be charged, its money held", async () => {
  const { accountId, leaseId } = await leased(10_000n, 5_000n);
  const items = Array.from({ length: 1000 }, () => newItem(accountId, 2, { leaseId }));
  const poisoned = newItem(accountId, 2, { leaseId, costNanos: 77n });
  items[500] = poisoned;
  const statuses = await room.settle(items);
  assert.equal(statuses.filter((status) => status === "APPLIED").length, 999);
  assert.equal(statuses[500], "DEAD_LETTERED");
  assert.deepEqual(await deadLetters(accountId), [[poisoned.id, 10018, "cost_nanos", 77n]]);
  assert.deepEqual(await room.settle([poisoned]), ["DEAD_LETTERED"]);
  // Mended under the same id it still waits for its replay: its money is held there.
  assert.deepEqual(await room.settle([{ ...poisoned, costNanos: 2n }]), ["DEAD_LETTERED"]);
  assert.partialDeepStrictEqual(await room.balance(accountId), {
    spent: 1998n,
    held: 5_000n - 1998n,
  });
});

test("names what is wrong with each item, and lets none stop another", async () => {
  const { accountId, leaseId } = await leased(1_000n, 500n);
  const item = (more: Partial<DecodedItem>) => newItem(accountId, 5, { leaseId, ...more });
  // biome-ignore format: a table is read by column
  const cases: [name: string, item: DecodedItem, reason: number, field: string][] = [
    ["a cost that is not the usage's",  item({ costNanos: 4n }),                          10018, "cost_nanos"],
    ["a free call with a cost",         item({ freeUnits: 1 }),                           10018, "cost_nanos"],
    ["free units of a lease with none", item({ freeUnits: 1, costNanos: 0n }),             9001, "free_units"],
    ["an unknown snapshot",             item({ priceSnapshotId: "ab".repeat(16) }),       10017, "price_snapshot_id"],
    ["a negative cost",                 item({ costNanos: -5n }),                          9001, "cost_nanos"],
    ["a count beyond all bounds",       item({ usage: { ...newItem("", 0).usage, inputTokens: 2e12 } }), 9001, "usage.input_tokens"],
    ["an id from the day after next",   item({ id: `ffffffff${"0".repeat(4)}7${"0".repeat(19)}` }), 9001, "id"],
    ["an id that is none",              item({ id: "abcd" }),                              9001, "id"],
    ["no model",                        item({ model: "" }),                               9001, "model"],
    ["a request id of no characters",   item({ requestId: "" }),                           9001, "request_id"],
  ];
  const good = item({});
  const statuses = await room.settle([...cases.map(([, one]) => one), good]);
  assert.deepEqual(statuses, [...cases.map(() => "DEAD_LETTERED"), "APPLIED"]);
  const letters = await deadLetters(accountId);
  assert.deepEqual(
    letters.map(([, reason, field]) => [reason, field]),
    cases.map(([, , reason, field]) => [reason, field]),
  );
});

test("puts items of accounts that do not exist aside, and holds nothing for them", async () => {
  const accountId = await room.account(10n);
  const stray = newItem("acc_nobody", 5);
  const malformed = newItem("häh?", 5);
  assert.deepEqual(await room.settle([stray, newItem(accountId, 5), malformed]), [
    "DEAD_LETTERED",
    "APPLIED",
    "DEAD_LETTERED",
  ]);
  assert.deepEqual(await deadLetters("acc_nobody"), [[stray.id, 10005, "account_id", 0n]]);
  assert.deepEqual(await deadLetters(""), [[malformed.id, 9001, "account_id", 0n]]);
});

test("halves a batch that the database refuses until the item at fault stands alone", async () => {
  const { pool } = database;
  await pool.query(
    "ALTER TABLE usage_transaction ADD CONSTRAINT refuses_poison CHECK (upstream_id <> 'poison')",
  );
  const { accountId, leaseId } = await leased(1_000n, 500n);
  const other = await leased(1_000n, 500n);
  const items = Array.from({ length: 17 }, (_, index) =>
    newItem(index % 2 === 0 ? accountId : other.accountId, 5, {
      leaseId: index % 2 === 0 ? leaseId : other.leaseId,
      upstreamId: index === 10 ? "poison" : "",
    }),
  );
  const statuses = await room.settle(items);
  assert.deepEqual(
    statuses,
    items.map((_, index) => (index === 10 ? "DEAD_LETTERED" : "APPLIED")),
  );
  assert.deepEqual(await deadLetters(accountId), [[items[10]?.id, 9006, "", 5n]]);
  assert.partialDeepStrictEqual(await room.balance(accountId), { spent: 40n, held: 460n });
  await pool.query("ALTER TABLE usage_transaction DROP CONSTRAINT refuses_poison");
});

test("holds the money of a dead letter when its lease is closed, and returns the rest", async () => {
  const { accountId, leaseId } = await leased(100n, 60n);
  await room.settle([newItem(accountId, 10, { leaseId, costNanos: 25n })]);
  const { outcomes, balance } = await room.deduct(accountId, [], { leaseId, close: true });
  assert.deepEqual(outcomes, []);
  assert.partialDeepStrictEqual(balance, { available: 75n, held: 25n, spent: 0n });
});

test("charges a call without a lease out of what is available, and calls it APPLIED", async () => {
  const accountId = await room.account(10n);
  assert.deepEqual(await room.settle([newItem(accountId, 4)]), ["APPLIED"]);
  assert.deepEqual(await room.settle([newItem(accountId, 4, { leaseId: "ab".repeat(16) })]), [
    "LATE",
  ]);
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 2n, spent: 8n });
});

test("takes an item of a day that is gone into usage_late, charges it, and knows it again", async () => {
  const { pool } = database;
  const { accountId, leaseId } = await leased(100n, 50n);
  const { oldestKeptDayMs: _, ...deps } = room;
  const { settleItems } = await import("../src/operations/settle-items.ts");
  const keeping = { ...deps, oldestKeptDayMs: () => 1_700_000_000_000 };
  const old = newItem(accountId, 7, {
    leaseId,
    id: `018000000000${newUuid().toString("hex").slice(12)}`,
  });
  const fresh = newItem(accountId, 1, { leaseId });
  assert.deepEqual(await settleItems(keeping, { items: [old, fresh] }), ["APPLIED", "APPLIED"]);
  assert.deepEqual(await settleItems(keeping, { items: [old, fresh] }), ["DUPLICATE", "DUPLICATE"]);
  const [late] = await pool.query<RowDataPacket[]>(
    "SELECT cost FROM usage_late WHERE account_id = ?",
    [accountId],
  );
  assert.deepEqual(
    late.map((row) => row.cost),
    [7n],
  );
});

test("adds up hours by what the calls have in common", async () => {
  const accountId = await room.account(1_000n);
  await room.settle([
    newItem(accountId, 5, { userId: "ann", model: "demo-1" }),
    newItem(accountId, 6, { userId: "ann", model: "demo-1", state: 2 }),
    newItem(accountId, 7, { userId: 'bob\'s \\ "o"', model: "demo-1" }),
    newItem(accountId, 8, { userId: "ann", startTimeMs: 1_790_000_000_000 - 3_600_000 }),
  ]);
  await room.settle([newItem(accountId, 9, { userId: "ann" })]);
  const [rows] = await database.pool.query<RowDataPacket[]>(
    `SELECT user_id, CAST(hour AS CHAR) AS hour, attempts, failed, cost, input_tokens, requests FROM usage_hourly
     WHERE account_id = ? ORDER BY hour, user_id`,
    [accountId],
  );
  assert.deepEqual(
    rows.map((row) => Object.values(row)),
    [
      ["ann", "2026-09-21 13:00:00", 1n, 0n, 8n, 8n, 1n],
      ["ann", "2026-09-21 14:00:00", 3n, 1n, 20n, 20n, 3n],
      ['bob\'s \\ "o"', "2026-09-21 14:00:00", 1n, 0n, 7n, 7n, 1n],
    ],
  );
});

test("burns free units out of the lease, then the period, then writes them off; the rest returns", async () => {
  const { pool } = database;
  await pool.query("REPLACE INTO free_quota_rule VALUES ('units', 'MONTH', 'TOKENS', 100, NOW(3))");
  const accountId = await room.account(0n);
  const ask = { service: "units", estimated: 5n };
  const answer = await room.ask(accountId, { ...ask, estimatedUnits: 60n });
  assert(answer.kind === "grant" && answer.added === 0n && answer.addedUnits === 60n);
  assert.equal(answer.whyNoMore, "INSUFFICIENT_QUOTA");
  const second = await room.ask(accountId, { ...ask, estimatedUnits: 60n });
  assert.equal(second.kind === "deny" && second.reason, "INSUFFICIENT_QUOTA");
  const leaseId = answer.lease.id;
  const free = (units: number) =>
    newItem(accountId, 0, { leaseId, service: "units", freeUnits: units, costNanos: 0n });
  const period = async () => {
    const [rows] = await pool.query<RowDataPacket[]>(
      "SELECT units_available, units_held, units_used, units_written_off FROM free_quota_period WHERE account_id = ?",
      [accountId],
    );
    return Object.values(rows[0] ?? {});
  };
  assert.deepEqual(await period(), [40n, 60n, 0n, 0n]);
  await room.settle([free(25), free(25)]);
  assert.deepEqual(await period(), [40n, 10n, 50n, 0n]);
  await room.settle([free(15), free(50)]);
  assert.deepEqual(await period(), [0n, 0n, 100n, 15n]);
  const third = await room.account(0n);
  const other = await room.ask(third, { ...ask, estimatedUnits: 60n });
  assert(other.kind === "grant");
  await room.deduct(third, [], { leaseId: other.lease.id, close: true });
  assert.equal((await room.ask(third, { ...ask, estimatedUnits: 100n })).kind, "grant");
});
