import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { newUuid } from "@farebox/kit/ids";
import { type FakeClock, fakeClock } from "@farebox/kit/testing/clock";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { drainSession } from "../src/operations/drain-session.ts";
import { openSession } from "../src/operations/open-session.ts";
import { renewSession } from "../src/operations/renew-session.ts";
import { runReconciliation } from "../src/operations/run-reconciliation.ts";
import { createSweepSessions } from "../src/operations/sweep-sessions.ts";
import { createSweepStrictLeases } from "../src/operations/sweep-strict-leases.ts";
import type { SessionKey } from "../src/store/session-store.ts";
import { type LeaseFixture, leaseFixture } from "./lease-fixture.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { type RecordedLeaseEvents, recordLeaseEvents } from "./recorded-lease-events.ts";

const validForMs = 30_000;
const suspectMsMax = 900_000;
const periodMs = 5_000;
let database: TestDatabase;
let clock: FakeClock;
let events: RecordedLeaseEvents;
let rows: LeaseFixture;
let gateway: Buffer;

before(async () => {
  database = await openBillingDatabase();
});
after(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  // Every sweep sees the whole schema.
  for (const table of ["lease", "gateway_session", "balance", "account"]) {
    await database.pool.query("DELETE FROM ??", [table]);
  }
  clock = fakeClock();
  events = recordLeaseEvents();
  rows = leaseFixture(database.pool, clock);
  gateway = newUuid();
});

const deps = () => ({ pool: database.pool, clock, events });
const sweeper = () =>
  createSweepSessions({
    ...deps(),
    leaseValidForMs: validForMs,
    leaseSuspectMsMax: suspectMsMax,
    periodMs,
  });
const strictSweeper = () => createSweepStrictLeases({ ...deps(), periodMs });
const hello = (bootId: Buffer) => openSession(deps(), { gatewayId: gateway, bootId });

/** Sweeps period by period, as the job does, for a while; each turn may do something first. */
async function sweepFor(
  ms: number,
  sweeps: readonly (() => Promise<void>)[],
  eachTurn: () => Promise<void> = async () => undefined,
): Promise<void> {
  for (let passed = 0; passed < ms; passed += periodMs) {
    await clock.advance(periodMs);
    await eachTurn();
    await Promise.all(sweeps.map((sweep) => sweep()));
  }
}

async function assertNoDrift(): Promise<void> {
  const input = { accountId: "", signal: new AbortController().signal };
  const report = await runReconciliation({ ...deps(), retentionDays: 90 }, input);
  assert.deepEqual(report.drifts, []);
}

test("keeps the leases of a gateway that renews, wherever the wall clocks jump", async () => {
  const account = await rows.account(100);
  const session = await hello(newUuid());
  await rows.gatewayLease(account, gateway, session.epoch);
  const sweep = sweeper();
  await sweep();
  for (const jumpMs of [3_600_000, -7_200_000, 3_600_000]) {
    clock.jumpWall(jumpMs);
    await sweepFor(3 * validForMs, [sweep], () => renewSession(deps(), session));
  }
  assert.deepEqual([await rows.states(account), events.lines], [["OPEN"], []]);
});

test("suspects the leases of a silent gateway after twice their validity, and no earlier", async () => {
  const account = await rows.account(100);
  const session = await hello(newUuid());
  await rows.gatewayLease(account, gateway, session.epoch);
  const sweep = sweeper();
  await sweep();
  await sweepFor(2 * validForMs - periodMs, [sweep]);
  assert.deepEqual(await rows.states(account), ["OPEN"]);
  await sweepFor(periodMs, [sweep]);
  assert.deepEqual(await rows.states(account), ["SUSPECT"]);
  assert.deepEqual(await rows.balance(account), { available: 90, held: 10, open_leases: 1 });
  await assert.rejects(renewSession(deps(), session), { reason: "EPOCH_STALE" });
  await assertNoDrift();
});

test("releases suspect leases with an alarm when the gateway never comes back", async () => {
  const account = await rows.account(100);
  const session = await hello(newUuid());
  for (let count = 0; count < 3; count += 1)
    await rows.gatewayLease(account, gateway, session.epoch);
  const claim = await rows.claim(account, gateway, session.epoch);
  const sweep = sweeper();
  await sweep();
  await sweepFor(2 * validForMs + suspectMsMax, [sweep]);
  assert.deepEqual(await rows.states(account), ["SUSPECT", "SUSPECT", "SUSPECT"]);
  await sweepFor(2 * periodMs, [sweep]);
  assert.deepEqual(await rows.states(account), ["RELEASED", "RELEASED", "RELEASED"]);
  assert.deepEqual(await rows.balance(account), { available: 100, held: 0, open_leases: 0 });
  assert.equal(await rows.claimState(account, claim), "VOID");
  assert.deepEqual(events.lines, [
    "suspected 1",
    "3 leases suspect",
    "abandoned 1: 3 leases, 1 claims",
  ]);
  await sweepFor(3 * suspectMsMax, [sweep]);
  assert.equal(events.lines.length, 3, "a gateway that was given up is not watched any more");
  await assertNoDrift();
});

test("does not take its own silence, or the database's, for the gateway's", async () => {
  const account = await rows.account(100);
  const session = await hello(newUuid());
  await rows.gatewayLease(account, gateway, session.epoch);
  const sweep = sweeper();
  await sweep();
  await clock.advance(10 * validForMs);
  await sweep();
  await renewSession(deps(), session);
  await sweep();
  assert.deepEqual([await rows.states(account), events.lines], [["OPEN"], []]);
});

test("begins anew after a restart of billing, and still comes to an end", async () => {
  const account = await rows.account(100);
  const session = await hello(newUuid());
  await rows.gatewayLease(account, gateway, session.epoch);
  const first = sweeper();
  await first();
  await sweepFor(validForMs, [first]);
  const second = sweeper();
  await second();
  await sweepFor(2 * validForMs - periodMs, [second]);
  assert.deepEqual(await rows.states(account), ["OPEN"]);
  await sweepFor(periodMs, [second]);
  assert.deepEqual(await rows.states(account), ["SUSPECT"]);
});

test("gives a gateway that comes back a new epoch, and releases what it says is drained", async () => {
  const account = await rows.account(100);
  const boot = newUuid();
  const old = await hello(boot);
  await rows.gatewayLease(account, gateway, old.epoch);
  await rows.gatewayLease(account, gateway, old.epoch);
  const claim = await rows.claim(account, gateway, old.epoch);
  const sweep = sweeper();
  await sweep();
  await sweepFor(2 * validForMs, [sweep]);
  const back = await hello(boot);
  assert.equal(back.epoch, old.epoch + 1n);
  await rows.gatewayLease(account, gateway, back.epoch);
  const fresh = await rows.claim(account, gateway, back.epoch);
  await drainSession(deps(), { session: back, drainedEpoch: old.epoch });
  assert.deepEqual(await rows.states(account), ["RELEASED", "RELEASED", "OPEN"]);
  assert.deepEqual(await rows.balance(account), { available: 90, held: 10, open_leases: 1 });
  assert.deepEqual(
    [await rows.claimState(account, claim), await rows.claimState(account, fresh)],
    ["VOID", "IN_FLIGHT"],
  );
  await drainSession(deps(), { session: back, drainedEpoch: old.epoch });
  assert.deepEqual(events.lines.slice(-2), [
    "drained 1: 2 leases, 1 claims",
    "drained 1: 0 leases, 0 claims",
  ]);
  await assertNoDrift();
});

test("releases the open leases of an older boot at once when the new one has drained them", async () => {
  const account = await rows.account(100);
  const old = await hello(newUuid());
  await rows.gatewayLease(account, gateway, old.epoch);
  const session = await hello(newUuid());
  await drainSession(deps(), { session, drainedEpoch: old.epoch });
  assert.deepEqual(await rows.states(account), ["RELEASED"]);
});

test("suspects an older boot's leases when the new one drains nothing, and leaves the new one's alone", async () => {
  const account = await rows.account(100);
  const old = await hello(newUuid());
  await rows.gatewayLease(account, gateway, old.epoch);
  const session = await hello(newUuid());
  await rows.gatewayLease(account, gateway, session.epoch);
  const sweep = sweeper();
  await sweep();
  const renew = () => renewSession(deps(), session);
  await sweepFor(2 * validForMs, [sweep], renew);
  assert.deepEqual(await rows.states(account), ["SUSPECT", "OPEN"]);
  await sweepFor(suspectMsMax + 2 * periodMs, [sweep], renew);
  assert.deepEqual(await rows.states(account), ["RELEASED", "OPEN"]);
  await renew();
  await assertNoDrift();
});

test("refuses to drain the stream's own epoch, and a stale stream's word", async () => {
  const old = await hello(newUuid());
  const session = await hello(newUuid());
  const drain = (by: SessionKey, drainedEpoch: bigint) =>
    drainSession(deps(), { session: by, drainedEpoch });
  await assert.rejects(drain(session, session.epoch), { reason: "INVALID_ARGUMENT" });
  await assert.rejects(drain(session, 99n), { reason: "INVALID_ARGUMENT" });
  await assert.rejects(drain(old, 0n), { reason: "EPOCH_STALE" });
});

test("finishes what a process began to drain before it died, and what was granted meanwhile", async () => {
  const account = await rows.account(100);
  const old = await hello(newUuid());
  const session = await hello(newUuid());
  await drainSession(deps(), { session, drainedEpoch: old.epoch });
  await rows.gatewayLease(account, gateway, old.epoch);
  await sweeper()();
  assert.deepEqual(await rows.states(account), ["RELEASED"]);
});

test("lets two billing processes sweep: each thing happens once", async () => {
  const account = await rows.account(1_000);
  const session = await hello(newUuid());
  for (let count = 0; count < 40; count += 1)
    await rows.gatewayLease(account, gateway, session.epoch);
  for (let count = 0; count < 40; count += 1) await rows.strictLease(account, validForMs);
  const sweeps = [sweeper(), sweeper(), strictSweeper(), strictSweeper()];
  await Promise.all(sweeps.map((sweep) => sweep()));
  await sweepFor(2 * validForMs + suspectMsMax + 3 * periodMs, sweeps);
  assert.deepEqual(await rows.balance(account), { available: 1_000, held: 0, open_leases: 0 });
  const released = events.lines.flatMap((line) => {
    const count = /^(\d+) leases expired|: (\d+) leases/.exec(line);
    return count === null ? [] : [Number(count[1] ?? count[2])];
  });
  assert.equal(
    released.reduce((sum, count) => sum + count, 0),
    80,
    "no lease is counted twice",
  );
  assert.equal(events.lines.filter((line) => line.startsWith("suspected")).length, 1);
  await assertNoDrift();
});

test("returns a strict lease between one and two validities", async () => {
  const account = await rows.account(100);
  await rows.strictLease(account, validForMs);
  const sweep = strictSweeper();
  await sweep();
  await sweepFor(validForMs, [sweep]);
  assert.deepEqual(await rows.states(account), ["OPEN"]);
  await sweepFor(validForMs / 2 + periodMs, [sweep]);
  assert.deepEqual(await rows.states(account), ["RELEASED"]);
  assert.deepEqual(await rows.balance(account), { available: 100, held: 0, open_leases: 0 });
  await assertNoDrift();
});

test("spares a strict lease that is extended again and again", async () => {
  const account = await rows.account(100);
  const lease = await rows.strictLease(account, validForMs);
  const sweep = strictSweeper();
  await sweep();
  for (let count = 0; count < 5; count += 1) {
    await sweepFor(validForMs, [sweep]);
    await rows.extend(account, lease);
  }
  assert.deepEqual(await rows.states(account), ["OPEN"]);
});

test("spares a strict lease that is extended while the sweep decides", async () => {
  const account = await rows.account(100);
  const lease = await rows.strictLease(account, validForMs);
  const sweep = strictSweeper();
  await sweep();
  await sweepFor(validForMs * 1.5 - periodMs, [sweep]);
  assert.deepEqual(await rows.states(account), ["OPEN"]);
  await clock.advance(periodMs);
  // The extension is not committed yet when the sweep reads the lease, and is when the sweep gets its lock.
  const extending = await database.pool.getConnection();
  await extending.query("START TRANSACTION");
  await rows.extend(account, lease, extending);
  const swept = sweep();
  await lockWaitBegins();
  await extending.query("COMMIT");
  extending.release();
  await swept;
  assert.deepEqual([await rows.states(account), events.lines], [["OPEN"], []]);
});

/** Resolves when a statement of this schema asks for the lock that the test holds. */
async function lockWaitBegins(): Promise<void> {
  for (;;) {
    const [waiting] = await database.pool.query<RowDataPacket[]>(
      `SELECT 1 FROM information_schema.PROCESSLIST
       WHERE DB = DATABASE() AND INFO LIKE 'SELECT%FROM lease%FOR UPDATE'`,
    );
    if (waiting.length > 0) return;
  }
}

for (const [name, jumpMs] of [
  ["ahead", 3_600_000],
  ["back", -3_600_000],
] as const) {
  test(`ends a strict lease no earlier and no later for a clock that jumps an hour ${name}`, async () => {
    const account = await rows.account(100);
    await rows.strictLease(account, validForMs);
    const sweep = strictSweeper();
    await sweep();
    await sweepFor(periodMs, [sweep]);
    clock.jumpWall(jumpMs);
    await sweepFor(validForMs - 2 * periodMs, [sweep]);
    assert.deepEqual(await rows.states(account), ["OPEN"]);
    await sweepFor(validForMs + periodMs, [sweep]);
    assert.deepEqual(await rows.states(account), ["RELEASED"]);
  });
}
