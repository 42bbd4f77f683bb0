import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newUuid } from "@farebox/kit/ids";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import { batchCheckQuota } from "../src/operations/batch-check-quota.ts";
import { claimRequests } from "../src/operations/claim-requests.ts";
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

const hex = () => newUuid().toString("hex");

async function gateway(epoch = 1n, drainedEpoch = 0n, seen = new Date()) {
  const gatewayId = hex();
  await database.pool.query("INSERT INTO gateway_session SET ?", [
    {
      gateway_id: Buffer.from(gatewayId, "hex"),
      boot_id: newUuid(),
      epoch,
      drained_epoch: drainedEpoch,
      last_seen_time: seen,
    },
  ]);
  return { gatewayId, gatewayEpoch: epoch };
}

function claimOf(accountId: string, requestId: string, body = "a") {
  return { accountId, requestId, sha256: Buffer.alloc(32, body).toString("hex"), attemptId: hex() };
}

const none = { claims: [], releasedClaims: [] };

test("tells one of 50 attempts at one request id, through three gateways, to go on", async () => {
  const accountId = await room.account(100n);
  const gateways = [await gateway(), await gateway(), await gateway()];
  const attempts = Array.from({ length: 50 }, () => claimOf(accountId, "r"));
  const answers = await Promise.all(
    attempts.map((claim, index) => {
      const by = gateways[index % 3];
      assert(by);
      return claimRequests(room, { ...by, ...none, claims: [claim] });
    }),
  );
  const kinds = answers
    .flat()
    .map((answer) => (answer.kind === "claimed" ? answer.kind : answer.reason));
  assert.equal(kinds.filter((kind) => kind === "claimed").length, 1);
  assert.equal(kinds.filter((kind) => kind === "REQUEST_IN_PROGRESS").length, 49);
  const winner = attempts[kinds.indexOf("claimed")];
  assert(winner);
  const [by] = gateways;
  assert(by);
  const again = await claimRequests(room, { ...by, ...none, claims: [winner] });
  assert.equal(again[0]?.kind, "claimed");
  const item = newItem(accountId, 5, {
    id: winner.attemptId,
    requestId: "r",
    claimed: true,
  });
  await room.settle([item]);
  const [late] = await claimRequests(room, { ...by, ...none, claims: [claimOf(accountId, "r")] });
  assert.deepEqual(late, {
    kind: "refuse",
    reason: "REQUEST_ALREADY_CHARGED",
    transactionId: winner.attemptId,
    cost: 5n,
  });
  const [other] = await claimRequests(room, {
    ...by,
    ...none,
    claims: [claimOf(accountId, "r", "b")],
  });
  assert.deepEqual(other, { kind: "refuse", reason: "REQUEST_ID_REUSED" });
});

test("leaves a request id to the next attempt when the one before cost nothing, died, or never began", async () => {
  const accountId = await room.account(100n);
  const [live, drained, lost] = [
    await gateway(),
    await gateway(3n, 2n),
    await gateway(1n, 0n, new Date(Date.now() - 3_600_000)),
  ];
  const attempt = async (by: typeof live, requestId: string) => {
    const claim = claimOf(accountId, requestId);
    const [answer] = await claimRequests(room, { ...by, ...none, claims: [claim] });
    return { claim, answer: answer?.kind === "refuse" ? answer.reason : answer?.kind };
  };
  const free = await attempt(live, "cost nothing");
  await room.settle([
    newItem(accountId, 0, { id: free.claim.attemptId, requestId: "cost nothing", claimed: true }),
  ]);
  await attempt({ ...drained, gatewayEpoch: 2n }, "drained");
  await attempt(drained, "of the epoch after the drained one");
  await attempt(lost, "lost");
  const refused = await attempt(live, "never began");
  await claimRequests(room, { ...live, claims: [], releasedClaims: [refused.claim] });
  const answers: [string, string | undefined][] = [];
  for (const id of [
    "cost nothing",
    "drained",
    "of the epoch after the drained one",
    "lost",
    "never began",
  ]) {
    answers.push([id, (await attempt(live, id)).answer]);
  }
  assert.deepEqual(answers, [
    ["cost nothing", "claimed"],
    ["drained", "claimed"],
    ["of the epoch after the drained one", "REQUEST_IN_PROGRESS"],
    ["lost", "claimed"],
    ["never began", "claimed"],
  ]);
});

test("answers a gateway's ask again as before: a new lease by its id, an extension by its ask", async () => {
  const accountId = await room.account(1_000n);
  const by = await gateway();
  const askId = hex();
  const ask = newAsk(accountId, { ...by, askId, estimated: 10n, wantSlice: 5n });
  const first = await batchCheckQuota(room, { ...by, ...none, asks: [ask] });
  const again = await batchCheckQuota(room, { ...by, ...none, asks: [ask] });
  assert(first.answers[0]?.kind === "grant" && again.answers[0]?.kind === "grant");
  assert.equal(again.answers[0].isReplay, true);
  assert.deepEqual(again.answers[0].lease, first.answers[0].lease);
  assert.equal(again.answers[0].added, 15n);
  const more = newAsk(accountId, { ...by, askId: hex(), leaseId: askId, estimated: 20n });
  const extended = await batchCheckQuota(room, { ...by, ...none, asks: [more] });
  const twice = await batchCheckQuota(room, { ...by, ...none, asks: [more] });
  assert(extended.answers[0]?.kind === "grant" && twice.answers[0]?.kind === "grant");
  assert.equal(extended.answers[0].lease.granted, 35n);
  assert.deepEqual(twice.answers[0].lease, extended.answers[0].lease);
  assert.partialDeepStrictEqual(await room.balance(accountId), { held: 35n, open_leases: 1 });
});

test("refuses a gateway of another epoch, and asks on leases that are not its own", async () => {
  const accountId = await room.account(1_000n);
  const by = await gateway(2n);
  const stale = { ...by, gatewayEpoch: 1n };
  const asks = [newAsk(accountId, stale)];
  await assert.rejects(batchCheckQuota(room, { ...stale, ...none, asks }), {
    reason: "EPOCH_STALE",
  });
  const stranger = { gatewayId: hex(), gatewayEpoch: 1n };
  await assert.rejects(batchCheckQuota(room, { ...stranger, ...none, asks: [] }), {
    reason: "EPOCH_STALE",
  });
  const strict = await room.ask(accountId, { estimated: 5n });
  assert(strict.kind === "grant");
  const { answers } = await batchCheckQuota(room, {
    ...by,
    ...none,
    asks: [
      newAsk(accountId, { ...by, leaseId: strict.lease.id }),
      newAsk(`auto-${hex()}`, by),
      newAsk(accountId, { ...by, currencyCode: "EUR" }),
      newAsk(accountId, { ...by, estimated: 7n }),
    ],
  });
  assert.deepEqual(
    answers.map((answer) => (answer.kind === "grant" ? "granted" : answer.reason)),
    // The account of the second is made, and has nothing yet.
    ["LEASE_NOT_FOUND", "INSUFFICIENT_BALANCE", "CURRENCY_MISMATCH", "granted"],
  );
});

test("answers an API caller's ask again with the lease as it stands, and refuses other content under its id", async () => {
  const accountId = await room.account(100n);
  const requestId = "ask";
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => room.ask(accountId, { requestId, estimated: 10n })),
  );
  const leases = answers.map((answer) => (answer.kind === "grant" ? answer.lease.id : ""));
  assert.equal(new Set(leases).size, 1);
  assert.equal(answers.filter((answer) => answer.kind === "grant" && !answer.isReplay).length, 1);
  const other = await room.ask(accountId, { requestId, estimated: 10n, sha256: "11".repeat(32) });
  assert.deepEqual(other, { kind: "refuse", reason: "REQUEST_ID_REUSED" });
  const [leaseId = ""] = leases;
  await room.settle([newItem(accountId, 4, { leaseId })]);
  const later = await room.ask(accountId, { requestId, estimated: 10n });
  assert(later.kind === "grant" && later.lease.settled === 4n && later.added === 10n);
  const extended = await room.ask(accountId, { leaseId, estimated: 5n });
  assert(extended.kind === "grant" && extended.lease.granted === 15n);
});

test("lets an ask that was denied be granted under the same id once there is money", async () => {
  const accountId = await room.account(5n);
  const ask = { requestId: "patient", estimated: 10n };
  assert.equal((await room.ask(accountId, ask)).kind, "deny");
  await room.credit(accountId, 5n);
  assert.equal((await room.ask(accountId, ask)).kind, "grant");
});

test("reserves units and money for a gateway in one transaction, and both return when it closes", async () => {
  await database.pool.query(
    "REPLACE INTO free_quota_rule VALUES ('both', 'DAY', 'REQUESTS', 10, NOW(3))",
  );
  const accountId = await room.account(1_000n);
  const by = await gateway();
  const ask = {
    ...by,
    service: "both",
    estimated: 10n,
    wantSlice: 90n,
    estimatedRequests: 2n,
    wantUnits: 3n,
  };
  const { answers } = await batchCheckQuota(room, {
    ...by,
    ...none,
    asks: [newAsk(accountId, ask)],
  });
  const [answer] = answers;
  assert(answer?.kind === "grant" && answer.added === 100n && answer.addedUnits === 5n);
  const poor = await room.account(0n);
  const free = await batchCheckQuota(room, { ...by, ...none, asks: [newAsk(poor, ask)] });
  assert(free.answers[0]?.kind === "grant" && free.answers[0].added === 0n);
  await room.deduct(accountId, [], { leaseId: answer.lease.id, close: true });
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 1_000n, held: 0n });
  assert.equal(
    await room.count(
      `free_quota_period WHERE account_id = '${accountId}' AND units_available = 10`,
    ),
    1,
  );
});
