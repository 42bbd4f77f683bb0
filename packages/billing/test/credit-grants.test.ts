import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fakeClock } from "@farebox/kit/testing/clock";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { expireGrants } from "../src/operations/expire-grants.ts";
import { releaseLeases } from "../src/operations/release-leases.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { assertConserved } from "./support/assert-conserved.ts";
import {
  type MoneyRoom,
  newCharge,
  newItem,
  openMoneyRoom,
  storeDemoPrice,
} from "./support/money-room.ts";

const clock = fakeClock();
const dayMs = 86_400_000;
let database: TestDatabase;
let room: MoneyRoom;

before(async () => {
  database = await openBillingDatabase();
  await storeDemoPrice(database.pool);
  room = openMoneyRoom(database.pool, clock);
});
after(async () => {
  await assertConserved(database.pool);
  await database[Symbol.asyncDispose]();
});

async function grants(accountId: string) {
  const [rows] = await database.pool.query<RowDataPacket[]>(
    "SELECT amount, remaining, used, expired FROM credit_grant WHERE account_id = ? ORDER BY id",
    [accountId],
  );
  return rows.map((row) => Object.values(row));
}

test("burns by priority, then soonest expiry, then age; what was paid for last", async () => {
  const accountId = await room.account(100n);
  const inDays = (days: number) => ({ expireTimeMs: clock.nowMs() + days * dayMs });
  await room.credit(accountId, 11n, { priority: 1 });
  await room.credit(accountId, 12n, { priority: 5, ...inDays(9) });
  await room.credit(accountId, 13n, { priority: 5, ...inDays(3) });
  await room.credit(accountId, 14n, { priority: 5 });
  await room.deduct(accountId, [newCharge("a", 20n)]);
  assert.deepEqual(await grants(accountId), [
    [100n, 100n, 0n, 0n],
    [11n, 11n, 0n, 0n],
    [12n, 5n, 7n, 0n],
    [13n, 0n, 13n, 0n],
    [14n, 14n, 0n, 0n],
  ]);
  await room.deduct(accountId, [newCharge("b", 25n)]);
  assert.deepEqual(
    (await grants(accountId)).map((grant) => grant[1]),
    [100n, 5n, 0n, 0n, 0n],
  );
  assert.partialDeepStrictEqual(await room.balance(accountId), { open_grants: 2 });
});

test("expires what no lease needs, and the rest when the lease returns it", async () => {
  const accountId = await room.account(0n);
  await room.credit(accountId, 10n, { expireTimeMs: clock.nowMs() + dayMs });
  const answer = await room.ask(accountId, { estimated: 4n, validForMs: 3 * dayMs });
  assert(answer.kind === "grant");
  await clock.advance(2 * dayMs);
  await Promise.all([expireGrants(room), expireGrants(room)]);
  assert.partialDeepStrictEqual(await room.balance(accountId), {
    available: 0n,
    held: 4n,
    credited: 4n,
  });
  await room.settle([newItem(accountId, 1, { leaseId: answer.lease.id })]);
  const lease = { accountId, id: answer.lease.id };
  const released = await releaseLeases(room, { leases: [lease], state: "RELEASED" });
  assert.deepEqual(
    released.map(({ state, released: returned }) => [state, returned]),
    [["RELEASED", 3n]],
  );
  assert.deepEqual(await releaseLeases(room, { leases: [lease], state: "RELEASED" }), []);
  assert.partialDeepStrictEqual(await room.balance(accountId), {
    available: 0n,
    held: 0n,
    spent: 1n,
    credited: 1n,
    open_grants: 0,
  });
  assert.deepEqual(await grants(accountId), [[10n, 0n, 1n, 9n]]);
});

test("spares paid money: an expired grant that a lease still needs does not expire out of it", async () => {
  const accountId = await room.account(100n);
  await room.credit(accountId, 50n, { priority: 1, expireTimeMs: clock.nowMs() + dayMs });
  const answer = await room.ask(accountId, { estimated: 50n, validForMs: 3 * dayMs });
  assert(answer.kind === "grant");
  await clock.advance(2 * dayMs);
  await expireGrants(room);
  await room.deduct(accountId, [newCharge("a", 50n)], { leaseId: answer.lease.id, close: true });
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 100n, spent: 50n });
});

test("does not lend what has expired, though the job has not run yet", async () => {
  const accountId = await room.account(0n);
  await room.credit(accountId, 10n, { expireTimeMs: clock.nowMs() + dayMs });
  await clock.advance(2 * dayMs);
  const answer = await room.ask(accountId, { estimated: 1n });
  assert.equal(answer.kind, "deny");
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 0n, credited: 0n });
});

test("gives one grant for 50 equal requests in parallel, and refuses other content", async () => {
  const accountId = await room.account(0n);
  const requestId = "the only one";
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => room.credit(accountId, 9n, { requestId })),
  );
  assert.equal(new Set(answers.map(({ grant }) => Buffer.from(grant.id).toString("hex"))).size, 1);
  await assert.rejects(room.credit(accountId, 10n, { requestId }), { reason: "REQUEST_ID_REUSED" });
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 9n, credited: 9n });
});

test("refuses amounts and times that make no credit", async () => {
  const accountId = await room.account(0n);
  const field = (name: string) => ({ reason: "INVALID_ARGUMENT", metadata: { field: name } });
  await assert.rejects(room.credit(accountId, 0n), field("amount"));
  await assert.rejects(room.credit(accountId, -1n), field("amount"));
  const past = { expireTimeMs: clock.nowMs() };
  await assert.rejects(room.credit(accountId, 1n, past), field("expire_time"));
  const prepaid = { kind: "PREPAID", expireTimeMs: clock.nowMs() + dayMs } as const;
  await assert.rejects(room.credit(accountId, 1n, prepaid), field("expire_time"));
  await assert.rejects(room.credit("acc_nobody", 1n), { reason: "ACCOUNT_NOT_FOUND" });
});
