import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newUuid } from "@farebox/kit/ids";
import { openMysql } from "@farebox/kit/mysql";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { releaseQuota } from "../src/operations/release-quota.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { assertConserved } from "./support/assert-conserved.ts";
import {
  type MoneyRoom,
  newAsk,
  newItem,
  openMoneyRoom,
  storeDemoPrice,
} from "./support/money-room.ts";

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

test("grants exactly as many of 500 parallel strict asks as the balance covers", async () => {
  const accountId = await room.account(137n * 10n + 9n);
  const answers = await Promise.all(
    Array.from({ length: 500 }, () => room.ask(accountId, { estimated: 10n })),
  );
  const granted = answers.filter((answer) => answer.kind === "grant");
  const denied = answers.filter((answer) => answer.kind === "deny");
  assert.equal(granted.length, 137);
  assert.equal(denied.length, 363);
  assert(denied.every((answer) => answer.reason === "INSUFFICIENT_BALANCE"));
  assert.partialDeepStrictEqual(await room.balance(accountId), {
    available: 9n,
    held: 1370n,
    receivable: 0n,
    open_leases: 137,
  });
});

test("makes one of each row for a thousand first calls of an account at once", async () => {
  const { pool } = database;
  await pool.query("INSERT INTO free_quota_rule VALUES ('first', 'DAY', 'REQUESTS', 600, NOW(3))");
  const accountId = `new-${newUuid().toString("hex")}`;
  const other = openMoneyRoom(pool);
  const answers = await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      const { asks } = index % 2 === 0 ? room : other;
      const ask = newAsk(accountId, { service: "first", estimated: 1n });
      return (await asks.submit([{ ask, mayCreateAccount: true }]))[0];
    }),
  );
  assert.equal(answers.filter((answer) => answer?.kind === "grant").length, 600);
  const denied = answers.filter((answer) => answer?.kind === "deny");
  assert(denied.every((answer) => answer.reason === "INSUFFICIENT_QUOTA"));
  for (const table of [
    "account WHERE id",
    "balance WHERE account_id",
    "free_quota_period WHERE account_id",
  ]) {
    assert.equal(await room.count(`${table} = '${accountId}'`), 1, table);
  }
});

test("settles out of the lease, then what is available, then as debt, and says LATE when the lease is gone", async () => {
  const accountId = await room.account(100n);
  const answer = await room.ask(accountId, { estimated: 60n });
  assert(answer.kind === "grant");
  const leaseId = answer.lease.id;
  assert.deepEqual(await room.settle([newItem(accountId, 50, { leaseId })]), ["APPLIED"]);
  assert.partialDeepStrictEqual(await room.balance(accountId), {
    available: 40n,
    held: 10n,
    spent: 50n,
  });
  // 10 of the lease, then 15 of what is available.
  assert.deepEqual(await room.settle([newItem(accountId, 25, { leaseId })]), ["APPLIED"]);
  assert.partialDeepStrictEqual(await room.balance(accountId), {
    available: 25n,
    held: 0n,
    spent: 75n,
  });
  await releaseQuota(room, { accountId, leaseId, finalTotal: 75n });
  assert.deepEqual(await room.settle([newItem(accountId, 30, { leaseId })]), ["LATE"]);
  assert.partialDeepStrictEqual(await room.balance(accountId), {
    available: 0n,
    held: 0n,
    spent: 105n,
    receivable: 5n,
    credited: 100n,
  });
  const denied = await room.ask(accountId, { estimated: 1n });
  assert.equal(denied.kind === "deny" && denied.reason, "ACCOUNT_IN_DEBT");
  await room.credit(accountId, 7n);
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 2n, receivable: 0n });
});

test("closes many leases at once, and leaves alone those it must, each told its own", async () => {
  const accounts = await Promise.all([room.account(100n), room.account(100n), room.account(100n)]);
  const leases = await Promise.all(
    accounts.map(async (accountId) => {
      const answer = await room.ask(accountId, { estimated: 60n });
      assert(answer.kind === "grant");
      return { accountId, leaseId: answer.lease.id };
    }),
  );
  const [first, second, third] = leases;
  assert(first && second && third);
  const answers = await room.closes.submit([
    { ...first, finalTotal: undefined },
    { ...second, finalTotal: 20n },
    { ...third, leaseId: "f".repeat(32), finalTotal: undefined },
    { ...first, finalTotal: undefined },
  ]);
  assert.deepEqual(
    answers.map((answer) =>
      answer.kind === "refused"
        ? answer.reason
        : answer.kind === "closed" && answer.wallet.available,
    ),
    [100n, "JOURNAL_BEHIND", "LEASE_NOT_FOUND", 100n],
  );
  const held = await Promise.all(accounts.map(async (id) => (await room.balance(id))?.held));
  assert.deepEqual(held, [0n, 60n, 60n]);
});

test("a lease that cannot be closed does not keep others open", async () => {
  const accounts = [await room.account(100n), await room.account(100n)];
  const leases = await Promise.all(
    accounts.map(async (accountId) => {
      const answer = await room.ask(accountId, { estimated: 60n });
      assert(answer.kind === "grant");
      return { accountId, leaseId: answer.lease.id, finalTotal: undefined };
    }),
  );
  const drifted = "UPDATE lease SET granted = granted + 1000 WHERE account_id = ?";
  const mended = "UPDATE lease SET granted = granted - 1000 WHERE account_id = ?";
  await database.pool.query(drifted, [accounts[0]]);
  const answers = await room.closes.submit(leases);
  assert.deepEqual(
    answers.map(({ kind }) => kind),
    ["failed", "closed"],
  );
  await database.pool.query(mended, [accounts[0]]);
});

test("closes alike twice, and waits for usage that the holder counted", async () => {
  const accountId = await room.account(100n);
  const answer = await room.ask(accountId, { estimated: 60n });
  assert(answer.kind === "grant");
  const leaseId = answer.lease.id;
  await assert.rejects(releaseQuota(room, { accountId, leaseId, finalTotal: 20n }), {
    reason: "JOURNAL_BEHIND",
  });
  await room.settle([newItem(accountId, 20, { leaseId })]);
  const first = await releaseQuota(room, { accountId, leaseId, finalTotal: 20n });
  const second = await releaseQuota(room, { accountId, leaseId, finalTotal: 20n });
  assert.deepEqual(second, first);
  assert.equal(first.lease.released, 40n);
  assert.equal(first.wallet.available, 80n);
  await assert.rejects(
    releaseQuota(room, { accountId, leaseId: "f".repeat(32), finalTotal: undefined }),
    { reason: "LEASE_NOT_FOUND" },
  );
});

test("goes into an allowed overdraft, and pays it back from what is released first", async () => {
  const accountId = await room.account(10n, 50n);
  const answer = await room.ask(accountId, { estimated: 60n });
  assert(answer.kind === "grant" && answer.isFinal);
  assert.partialDeepStrictEqual(await room.balance(accountId), {
    available: 0n,
    held: 60n,
    receivable: 50n,
  });
  const denied = await room.ask(accountId, { estimated: 0n });
  assert.equal(denied.kind === "deny" && denied.reason, "ACCOUNT_IN_DEBT");
  await room.settle([newItem(accountId, 5, { leaseId: answer.lease.id })]);
  await releaseQuota(room, { accountId, leaseId: answer.lease.id, finalTotal: undefined });
  assert.partialDeepStrictEqual(await room.balance(accountId), {
    available: 5n,
    held: 0n,
    receivable: 0n,
    spent: 5n,
  });
});

test("keeps every digit of amounts above 2^53", async () => {
  const huge = 8_999_999_999_999_999_999n;
  const accountId = await room.account(huge);
  const answer = await room.ask(accountId, { estimated: huge - 1n });
  assert(answer.kind === "grant");
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 1n, held: huge - 1n });
  await releaseQuota(room, { accountId, leaseId: answer.lease.id, finalTotal: undefined });
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: huge, held: 0n });
  await room.credit(accountId, 1n);
  await assert.rejects(room.credit(accountId, 1n), {
    reason: "INVALID_ARGUMENT",
    metadata: { field: "amount" },
  });
});

test("keeps the laws when two processes take the same accounts in opposite orders", async () => {
  const accounts = await Promise.all(Array.from({ length: 12 }, () => room.account(100_000n)));
  const leases = new Map<string, string>();
  for (const accountId of accounts) {
    const answer = await room.ask(accountId, { estimated: 10_000n });
    if (answer.kind === "grant") leases.set(accountId, answer.lease.id);
  }
  await using stack = new AsyncDisposableStack();
  const pool = openMysql({ url: database.url, connectionsMax: 8, multipleStatements: true });
  stack.defer(() => pool.end());
  const other = openMoneyRoom(pool);
  const item = (accountId: string) =>
    newItem(accountId, 3, { leaseId: leases.get(accountId) ?? "" });
  await Promise.all(
    Array.from({ length: 30 }, async (_, index) => {
      const process = index % 2 === 0 ? room : other;
      const order = index % 2 === 0 ? accounts : accounts.toReversed();
      const statuses = await process.settle([...order, ...order].map(item));
      assert(statuses.every((status) => status === "APPLIED"));
      await Promise.all(order.map((accountId) => process.ask(accountId, { estimated: 7n })));
      await Promise.all(order.map((accountId) => process.credit(accountId, 5n)));
    }),
  );
  for (const accountId of accounts) {
    assert.partialDeepStrictEqual(await room.balance(accountId), {
      spent: 180n,
      credited: 100_150n,
      held: 10_000n - 180n + 210n,
      open_leases: 31,
    });
  }
});

test("settles and grants for thousands of accounts in one transaction", async () => {
  const { pool } = database;
  const accounts = Array.from({ length: 2500 }, () => `many-${newUuid().toString("hex")}`);
  const submitted = accounts.map((accountId) => ({
    ask: newAsk(accountId, { estimated: 0n }),
    mayCreateAccount: true,
  }));
  const answers = await room.asks.submit(submitted);
  assert(answers.every((answer) => answer.kind === "grant"));
  const leaseOf = (index: number) => {
    const answer = answers[index];
    return answer?.kind === "grant" ? answer.lease.id : "";
  };
  const items = accounts.map((accountId, index) =>
    newItem(accountId, 2, { leaseId: leaseOf(index) }),
  );
  const statuses = await room.settle(items);
  assert(statuses.every((status) => status === "APPLIED"));
  const again = await room.settle(items.toReversed());
  assert(again.every((status) => status === "DUPLICATE"));
  const [rows] = await pool.query<RowDataPacket[]>(
    "SELECT COUNT(*) AS n FROM balance WHERE account_id LIKE 'many-%' AND receivable = 2 AND spent = 2",
  );
  assert.equal(Number(rows[0]?.n), 2500);
});
