import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { newUuid } from "@farebox/kit/ids";
import { type FakeClock, fakeClock } from "@farebox/kit/testing/clock";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { dayMs } from "../src/domain/usage-day.ts";
import { claimRequests } from "../src/operations/claim-requests.ts";
import { createKeepReconciled } from "../src/operations/keep-reconciled.ts";
import { openSession } from "../src/operations/open-session.ts";
import { createPruneEnded } from "../src/operations/prune-ended.ts";
import { replayDeadLetter } from "../src/operations/replay-dead-letter.ts";
import { runReconciliation } from "../src/operations/run-reconciliation.ts";
import { createSweepSessions } from "../src/operations/sweep-sessions.ts";
import type { Pruned } from "../src/prune-events.ts";
import { type LeaseFixture, leaseFixture } from "./lease-fixture.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { recordLeaseEvents } from "./recorded-lease-events.ts";
import { assertConserved } from "./support/assert-conserved.ts";
import {
  demoPrice,
  type MoneyRoom,
  newItem,
  openMoneyRoom,
  storeDemoPrice,
} from "./support/money-room.ts";

let database: TestDatabase;
let clock: FakeClock;
let room: MoneyRoom;
let rows: LeaseFixture;
let forgotten: Record<Pruned, number>;

before(async () => {
  database = await openBillingDatabase();
  await storeDemoPrice(database.pool);
});
after(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  // Every run sees the whole schema.
  const tables = [
    "lease",
    "gateway_session",
    "client_request",
    "account_proof",
    "settlement_dead_letter",
  ];
  const money = [
    "balance",
    "account",
    "credit_grant",
    "free_quota_period",
    "ledger_entry",
    "usage_transaction",
    "usage_hourly",
  ];
  for (const table of [...tables, ...money]) await database.pool.query("DELETE FROM ??", [table]);
  clock = fakeClock();
  room = openMoneyRoom(database.pool, clock);
  rows = leaseFixture(database.pool, clock);
  forgotten = { leases: 0, claims: 0, sessions: 0 };
});

const never = new AbortController().signal;

function pruner(leaseRetentionDays = 7, requestIdRetentionDays = 30) {
  const prune = createPruneEnded({
    ...{ pool: database.pool, clock, leaseRetentionDays, requestIdRetentionDays },
    events: {
      pruned: (counts) => {
        for (const kind of ["leases", "claims", "sessions"] as const)
          forgotten[kind] += counts[kind] ?? 0;
      },
    },
  });
  return () => prune(never);
}

/** Proves every account, as the job does. */
async function prove(): Promise<number> {
  let drifts = 0;
  const run = createKeepReconciled({
    ...{ pool: database.pool, clock, retentionDays: 0 },
    events: {
      driftsFound: () => undefined,
      reconciled: (count) => {
        drifts = count;
      },
      deadLettersCounted: () => undefined,
      passEnded: () => undefined,
    },
  });
  await run(never);
  return drifts;
}

/** A lease that paid for a call and was closed. */
async function endedLease(accountId: string): Promise<string> {
  const answer = await room.ask(accountId, { requestId: "ask", estimated: 10n });
  assert(answer.kind === "grant");
  await room.settle([newItem(accountId, 4, { leaseId: answer.lease.id })]);
  await room.deduct(accountId, [], { leaseId: answer.lease.id, close: true });
  return answer.lease.id;
}

async function assertSound(): Promise<void> {
  const input = { accountId: "", signal: never };
  const report = await runReconciliation({ pool: database.pool, clock, retentionDays: 0 }, input);
  assert.deepEqual(report.drifts, []);
  await assertConserved(database.pool);
}

test("forgets an ended lease once its retention is over and its account was proved since, and every law still holds", async () => {
  const accountId = await room.account(100n);
  await endedLease(accountId);
  const prune = pruner();
  await clock.advance(7 * dayMs - 1);
  await prove();
  await prune();
  assert.equal(forgotten.leases, 0, "not before its time");
  await clock.advance(2);
  await prune();
  assert.deepEqual([forgotten.leases, await room.count("lease")], [1, 0]);
  await assertSound();
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 96n, spent: 4n });
});

test("keeps an ended lease for as long as nobody has proved its account after its end", async () => {
  const accountId = await room.account(100n);
  await prove();
  await clock.advance(1);
  await endedLease(accountId);
  await clock.advance(400 * dayMs);
  const prune = pruner();
  await prune();
  assert.equal(forgotten.leases, 0);
  await prove();
  await prune();
  assert.equal(forgotten.leases, 1);
});

test("keeps every lease of an account that does not add up: they are the evidence", async () => {
  const accountId = await room.account(100n);
  const leaseId = await endedLease(accountId);
  await database.pool.query("UPDATE lease SET settled = 3, released = 7 WHERE id = ?", [
    Buffer.from(leaseId, "hex"),
  ]);
  await clock.advance(8 * dayMs);
  assert.equal(await prove(), 1);
  await pruner()();
  assert.equal(forgotten.leases, 0);
});

test("keeps leases that hold money, and those that dead letters point to", async () => {
  const accountId = await room.account(1_000n);
  await room.ask(accountId, { estimated: 10n });
  const putAside = await room.ask(accountId, { estimated: 10n });
  assert(putAside.kind === "grant");
  const { id: leaseId } = putAside.lease;
  const [status] = await room.settle([newItem(accountId, 4, { leaseId, costNanos: 5n })]);
  assert.equal(status, "DEAD_LETTERED");
  await room.deduct(accountId, [], { leaseId, close: true });
  await clock.advance(8 * dayMs);
  assert.equal(await prove(), 0);
  await pruner()();
  assert.deepEqual([forgotten.leases, await room.count("lease")], [0, 2]);
  await assertSound();
});

test("keeps the lease of a dead letter that holds no money until it is closed: its free units come from that lease's period", async () => {
  await database.pool.query(
    "REPLACE INTO free_quota_rule VALUES ('gratis', 'DAY', 'REQUESTS', 5, ?)",
    [new Date(clock.nowMs())],
  );
  const accountId = await room.account();
  const answer = await room.ask(accountId, {
    ...{ service: "gratis", estimatedRequests: 1n, wantUnits: 1n, wantSlice: 1n },
  });
  assert(answer.kind === "grant");
  const { id: leaseId } = answer.lease;
  const more = { leaseId, service: "gratis", freeUnits: 1, costNanos: 0n };
  const item = newItem(accountId, 0, { ...more, priceSnapshotId: newUuid().toString("hex") });
  assert.deepEqual(await room.settle([item]), ["DEAD_LETTERED"]);
  await room.deduct(accountId, [], { leaseId, close: true });
  await clock.advance(8 * dayMs);
  assert.equal(await prove(), 0);
  const prune = pruner();
  await prune();
  assert.deepEqual([forgotten.leases, await room.count("lease")], [0, 1]);
  const [letters] = await database.pool.query<RowDataPacket[]>(
    "SELECT LOWER(HEX(id)) AS id, held FROM settlement_dead_letter WHERE lease_id = ?",
    [Buffer.from(leaseId, "hex")],
  );
  assert.deepEqual([letters.length, letters[0]?.held], [1, 0n]);
  const decodeItem = () => ({ ...item, priceSnapshotId: demoPrice.snapshotId });
  await replayDeadLetter({ ...room, decodeItem }, letters[0]?.id);
  const used = `free_quota_period WHERE account_id = '${accountId}' AND units_used = 1`;
  assert.equal(await room.count(used), 1);
  await assertSound();
  await prune();
  assert.deepEqual([forgotten.leases, await room.count("lease")], [1, 0]);
});

test("charges what turns up for a forgotten lease as late, and refuses to tell of it", async () => {
  const accountId = await room.account(100n);
  const leaseId = await endedLease(accountId);
  await clock.advance(8 * dayMs);
  await prove();
  await pruner()();
  assert.deepEqual(await room.settle([newItem(accountId, 5, { leaseId })]), ["LATE"]);
  const again = await room.ask(accountId, { requestId: "ask", estimated: 10n });
  assert.deepEqual(again, { kind: "refuse", reason: "LEASE_NOT_FOUND" });
  const other = { requestId: "ask", estimated: 10n, sha256: "11".repeat(32) };
  assert.deepEqual(await room.ask(accountId, other), {
    kind: "refuse",
    reason: "REQUEST_ID_REUSED",
  });
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 91n, spent: 9n });
  await assertSound();
});

test("walks through more leases than one run looks at, and begins anew at the end", async () => {
  const accountId = await rows.account(100);
  const count = 20_300;
  const values = Array.from({ length: count }, () => [accountId, newUuid()]);
  for (let from = 0; from < count; from += 5_000) {
    const part = values.slice(from, from + 5_000);
    await database.pool.query(
      `INSERT INTO lease (account_id, id, service, state, granted, released, valid_for_ms, create_time, close_time)
       VALUES ${part.map(() => "(?, ?, 'llm', 'CLOSED', 1, 1, 1, '2020-01-01', '2020-01-01')").join(",")}`,
      part.flat(),
    );
  }
  await prove();
  const prune = pruner();
  await prune();
  assert.equal(forgotten.leases, 20_000);
  await prune();
  assert.equal(forgotten.leases, count);
  await endedLease(await room.account(100n));
  await clock.advance(8 * dayMs);
  await prove();
  await prune();
  assert.equal(forgotten.leases, count + 1);
});

test("forgets ended claims of request ids after their retention, and never one in flight", async () => {
  const accountId = await room.account(100n);
  const gateway = await openSession(
    { pool: database.pool, clock },
    { gatewayId: newUuid(), bootId: newUuid() },
  );
  const by = { gatewayId: Buffer.from(gateway.gatewayId).toString("hex"), gatewayEpoch: 1n };
  const claim = async (requestId: string) => {
    const made = {
      ...{ accountId, requestId, sha256: "ab".repeat(32) },
      attemptId: newUuid().toString("hex"),
    };
    const [answer] = await claimRequests(room, { ...by, claims: [made], releasedClaims: [] });
    return { ...made, answer: answer?.kind === "refuse" ? answer.reason : answer?.kind };
  };
  const end = async (requestId: string, cost: number) => {
    const { attemptId: id } = await claim(requestId);
    await room.settle([newItem(accountId, cost, { id, requestId, claimed: true })]);
  };
  await end("charged", 5);
  await end("cost nothing", 0);
  await end("repeated", 0);
  await claim("in flight");
  const prune = pruner();
  await clock.advance(30 * dayMs - 1);
  await end("repeated", 5);
  await prune();
  assert.equal((await claim("charged")).answer, "REQUEST_ALREADY_CHARGED");
  await clock.advance(2);
  await prune();
  assert.deepEqual([forgotten.claims, await room.count("client_request")], [2, 2]);
  assert.equal((await claim("charged")).answer, "claimed");
  assert.equal((await claim("repeated")).answer, "REQUEST_ALREADY_CHARGED");
});

test("forgets a gateway that never came back, but not while it holds a lease or a claim; coming back, it begins anew", async () => {
  const deps = { pool: database.pool, clock };
  const account = await rows.account(100);
  const gatewayId = newUuid();
  const hello = () => openSession(deps, { gatewayId, bootId: newUuid() });
  const { epoch } = await hello();
  await rows.gatewayLease(account, gatewayId, epoch);
  const prune = pruner();
  await clock.advance(8 * dayMs);
  await prune();
  assert.equal(forgotten.sessions, 0, "nobody has given it up");
  const periodMs = 5_000;
  const sweep = createSweepSessions({
    ...{ ...deps, periodMs, events: recordLeaseEvents() },
    ...{ leaseValidForMs: 30_000, leaseSuspectMsMax: 60_000 },
  });
  const sweepFor = async (ms: number) => {
    for (let passed = 0; passed <= ms; passed += periodMs) {
      await clock.advance(periodMs);
      await sweep();
    }
  };
  await sweep();
  await sweepFor(60_000);
  await prune();
  assert.deepEqual([await rows.states(account), forgotten.sessions], [["SUSPECT"], 0]);
  await sweepFor(60_000);
  const claim = await rows.claim(account, gatewayId, epoch);
  await prune();
  assert.deepEqual([await rows.states(account), forgotten.sessions], [["RELEASED"], 0]);
  await database.pool.query("UPDATE client_request SET state = 'VOID' WHERE request_id = ?", [
    claim,
  ]);
  await prune();
  assert.equal(forgotten.sessions, 1);
  assert.equal((await hello()).epoch, 1n);
  await clock.advance(1);
  await prune();
  assert.equal(forgotten.sessions, 1, "a gateway that lives is kept");
});

test("keeps everything for ever when its retention is zero", async () => {
  await endedLease(await room.account(100n));
  await clock.advance(5_000 * dayMs);
  await prove();
  await pruner(0, 0)();
  assert.deepEqual(forgotten, { leases: 0, claims: 0, sessions: 0 });
});

test("forgets each row once, however many processes do it at once", async () => {
  const accounts = await Promise.all(Array.from({ length: 20 }, () => room.account(100n)));
  await Promise.all(accounts.map(endedLease));
  await clock.advance(8 * dayMs);
  await prove();
  await Promise.all([pruner()(), pruner()(), pruner()()]);
  assert.deepEqual([forgotten.leases, await room.count("lease")], [20, 0]);
  await assertSound();
});
