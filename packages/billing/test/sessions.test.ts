import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newUuid } from "@farebox/kit/ids";
import { fakeClock } from "@farebox/kit/testing/clock";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import { isCurrentSession } from "../src/operations/is-current-session.ts";
import { openSession } from "../src/operations/open-session.ts";
import { renewSession } from "../src/operations/renew-session.ts";
import { readSession, suspectEpochs } from "../src/store/session-store.ts";
import { openBillingDatabase } from "./open-billing-database.ts";

const clock = fakeClock();
let database: TestDatabase;
before(async () => {
  database = await openBillingDatabase();
});
after(() => database[Symbol.asyncDispose]());

const deps = () => ({ pool: database.pool, clock });
const hello = (gatewayId: Buffer, bootId: Buffer) => openSession(deps(), { gatewayId, bootId });

async function lose(gatewayId: Buffer): Promise<void> {
  const session = await readSession(database.pool, gatewayId);
  assert.ok(session);
  assert.equal(await suspectEpochs(database.pool, session, session.epoch), true);
}

test("gives epochs that grow with every boot and stay with every reconnect", async () => {
  const [gateway, bootA, bootB] = [newUuid(), newUuid(), newUuid()];
  const epochs: bigint[] = [];
  for (const boot of [bootA, bootA, bootB, bootB, bootA, bootB]) {
    epochs.push((await hello(gateway, boot)).epoch);
  }
  assert.deepEqual(epochs, [1n, 1n, 2n, 2n, 3n, 4n]);
});

test("gives the same boot a new epoch after it was given up", async () => {
  const [gateway, boot] = [newUuid(), newUuid()];
  const first = await hello(gateway, boot);
  await lose(gateway);
  await assert.rejects(renewSession(deps(), first), { reason: "EPOCH_STALE" });
  const second = await hello(gateway, boot);
  assert.deepEqual([first.epoch, second.epoch], [1n, 2n]);
  await renewSession(deps(), second);
});

test("renews only the newest boot, and tells the older one that it is stale", async () => {
  const gateway = newUuid();
  const older = await hello(gateway, newUuid());
  await renewSession(deps(), older);
  const newer = await hello(gateway, newUuid());
  await assert.rejects(renewSession(deps(), older), { reason: "EPOCH_STALE" });
  await renewSession(deps(), newer);
  assert.deepEqual(
    [await isCurrentSession(deps(), older), await isCurrentSession(deps(), newer)],
    [false, true],
  );
  const stored = await readSession(database.pool, gateway);
  // The takeover counts as a sign of life too.
  assert.equal(stored?.renewals, 3n);
});

test("gives twenty boots at once twenty epochs", async () => {
  const gateway = newUuid();
  const sessions = await Promise.all(Array.from({ length: 20 }, () => hello(gateway, newUuid())));
  const epochs = sessions.map((session) => Number(session.epoch)).sort((a, b) => a - b);
  assert.deepEqual(
    epochs,
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
});

test("gives one boot that says hello twenty times at once one epoch", async () => {
  const [gateway, boot] = [newUuid(), newUuid()];
  const sessions = await Promise.all(Array.from({ length: 20 }, () => hello(gateway, boot)));
  assert.deepEqual(new Set(sessions.map((session) => session.epoch)), new Set([1n]));
});

test("spares a gateway that renewed after it was last looked at", async () => {
  const [gateway, boot] = [newUuid(), newUuid()];
  const session = await hello(gateway, boot);
  const seen = await readSession(database.pool, gateway);
  assert.ok(seen);
  await renewSession(deps(), session);
  assert.equal(await suspectEpochs(database.pool, seen, seen.epoch), false);
  await renewSession(deps(), session);
});
