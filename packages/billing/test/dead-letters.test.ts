import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import { createLogger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import { createPageTokens } from "@farebox/kit/page-token";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import type { DecodedItem } from "../src/domain/usage-item.ts";
import { createMoneyEvents } from "../src/events.ts";
import { listDeadLetters } from "../src/operations/list-dead-letters.ts";
import { releaseLeases } from "../src/operations/release-leases.ts";
import { replayDeadLetter } from "../src/operations/replay-dead-letter.ts";
import { runReconciliation } from "../src/operations/run-reconciliation.ts";
import { settleItems } from "../src/operations/settle-items.ts";
import { voidDeadLetter } from "../src/operations/void-dead-letter.ts";
import { createItemDecoder } from "../src/rpc/decode-usage-item.ts";
import { createAccountFacts } from "../src/store/account-facts.ts";
import { createSnapshotPrices } from "../src/store/snapshot-prices.ts";
import { type LeaseFixture, leaseFixture } from "./lease-fixture.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { encodeItem, nanoPrice, usageItem, writeNanoPrice } from "./usage-fixture.ts";

let database: TestDatabase;
let rows: LeaseFixture;
before(async () => {
  database = await openBillingDatabase();
  rows = leaseFixture(database.pool, systemClock);
});
after(() => database[Symbol.asyncDispose]());

const log = createLogger({ name: "test", level: "silent" });
const events = createMoneyEvents({ log, metrics: createMetrics() });
const pageTokens = createPageTokens(["a-key-for-tests-only"]);
const deps = () => ({
  pool: database.pool,
  clock: systemClock,
  facts: createAccountFacts(database.pool),
  prices: createSnapshotPrices(database.pool),
  events,
  oldestKeptDayMs: () => 0,
  decodeItem: createItemDecoder(),
  pageTokens,
  retentionDays: 90,
});

async function assertNoDrift(): Promise<void> {
  const signal = new AbortController().signal;
  assert.deepEqual((await runReconciliation(deps(), { accountId: "", signal })).drifts, []);
}

/** An account with 100, a lease of `granted`, and an item on it whose price is not known yet. */
async function putAside(granted = 60, cost = 40, of: Partial<DecodedItem> = {}) {
  await database.pool.query("DELETE FROM price_snapshot");
  const accountId = await rows.account(100);
  const gatewayId = newUuid();
  const lease = await rows.gatewayLease(accountId, gatewayId, 1n, granted);
  const leaseId = lease.toString("hex");
  const plain = usageItem({ accountId, priceSnapshotId: nanoPrice.id, leaseId, cost, ...of });
  const item = { ...plain, encoded: encodeItem(plain) };
  assert.deepEqual(await settleItems(deps(), { items: [item] }), ["DEAD_LETTERED"]);
  const { rows: letters } = await listDeadLetters(deps(), {
    accountId,
    state: "OPEN",
    pageSize: 0,
    pageToken: "",
  });
  assert.equal(letters.length, 1);
  const [letter] = letters;
  assert.ok(letter);
  return { accountId, gatewayId, leaseId, item, letter };
}
const release = (accountId: string, leaseId: string) =>
  releaseLeases(deps(), { leases: [{ accountId, id: leaseId }], state: "RELEASED" });
const money = async (accountId: string) => {
  const { available, held } = await rows.balance(accountId);
  return { available, held };
};

test("keeps an item's money held, apart from what its lease may spend", async () => {
  const { accountId, letter } = await putAside();
  assert.deepEqual(
    { ...letter, id: "", item: letter.item.length > 0, createTimeMs: 0 },
    {
      id: "",
      accountId,
      currencyCode: "USD",
      leaseId: letter.leaseId,
      item: true,
      reason: 10017,
      field: "price_snapshot_id",
      held: 40n,
      state: "OPEN",
      createTimeMs: 0,
    },
  );
  await release(accountId, letter.leaseId);
  assert.deepEqual(await money(accountId), { available: 60, held: 40 });
  await assertNoDrift();
});

test("replays an item once its price is known, out of its own lease", async () => {
  const { accountId, letter, item } = await putAside();
  await assert.rejects(replayDeadLetter(deps(), letter.id), { reason: "PRICE_SNAPSHOT_UNKNOWN" });
  assert.deepEqual(await money(accountId), { available: 40, held: 60 });
  await writeNanoPrice(database.pool);
  const replayed = await replayDeadLetter(deps(), letter.id);
  assert.deepEqual(replayed, { ...letter, state: "REPLAYED", held: 0n });
  assert.deepEqual(await money(accountId), { available: 40, held: 20 });
  // Delivered once more, it is told what it was told before, and changes nothing.
  assert.deepEqual(await settleItems(deps(), { items: [item] }), ["DEAD_LETTERED"]);
  assert.deepEqual(await money(accountId), { available: 40, held: 20 });
  await assertNoDrift();
});

test("replays an item of a lease that is gone, with the money that was held for it", async () => {
  const { accountId, letter, leaseId } = await putAside();
  await release(accountId, leaseId);
  await writeNanoPrice(database.pool);
  await replayDeadLetter(deps(), letter.id);
  assert.deepEqual(await money(accountId), { available: 60, held: 0 });
  await assertNoDrift();
});

test("charges a replayed item in full when less was held for it", async () => {
  const { accountId, letter } = await putAside(30, 40);
  assert.equal(letter.held, 30n);
  await writeNanoPrice(database.pool);
  await replayDeadLetter(deps(), letter.id);
  assert.deepEqual(await money(accountId), { available: 60, held: 0 });
  await assertNoDrift();
});

test("voids an item: its money returns, and the client may ask again", async () => {
  const accountId = await rows.account(100);
  const gatewayId = newUuid();
  const requestId = await rows.claim(accountId, gatewayId, 1n);
  const attemptId = await rows.attemptOf(accountId, requestId);
  const lease = await rows.gatewayLease(accountId, gatewayId, 1n, 60);
  const plain = usageItem({
    id: attemptId,
    accountId,
    requestId,
    claimed: true,
    priceSnapshotId: newUuid().toString("hex"),
    leaseId: lease.toString("hex"),
    cost: 40,
  });
  await settleItems(deps(), { items: [{ ...plain, encoded: encodeItem(plain) }] });
  const page = { accountId, state: "OPEN", pageSize: 1, pageToken: "" } as const;
  const [letter] = (await listDeadLetters(deps(), page)).rows;
  assert.ok(letter);
  const voided = await voidDeadLetter(deps(), letter.id);
  assert.deepEqual([voided.state, voided.held], ["VOIDED", 0n]);
  assert.deepEqual(await money(accountId), { available: 80, held: 20 });
  assert.equal(await rows.claimState(accountId, requestId), "VOID");
  await release(accountId, lease.toString("hex"));
  assert.deepEqual(await money(accountId), { available: 100, held: 0 });
  await assertNoDrift();
});

test("ends a dead letter once, whoever is first", async () => {
  const { accountId, letter } = await putAside();
  await writeNanoPrice(database.pool);
  const ends = [replayDeadLetter, voidDeadLetter, replayDeadLetter, voidDeadLetter];
  const outcomes = await Promise.allSettled(ends.map((end) => end(deps(), letter.id)));
  const refused = outcomes.filter((outcome) => outcome.status === "rejected");
  assert.deepEqual(
    refused.map(({ reason }) => reason.reason),
    ["DEAD_LETTER_CLOSED", "DEAD_LETTER_CLOSED", "DEAD_LETTER_CLOSED"],
  );
  await release(accountId, letter.leaseId);
  assert.equal((await money(accountId)).held, 0);
  await assertNoDrift();
});

test("knows no dead letter that is not there", async () => {
  const id = newUuid().toString("hex");
  await assert.rejects(replayDeadLetter(deps(), id), { reason: "DEAD_LETTER_NOT_FOUND" });
  await assert.rejects(voidDeadLetter(deps(), id), { reason: "DEAD_LETTER_NOT_FOUND" });
});

test("lists dead letters oldest first, page by page, by account and state", async () => {
  const first = await putAside();
  const second = await putAside();
  await voidDeadLetter(deps(), first.letter.id);
  const list = (accountId: string, state: "OPEN" | "VOIDED", pageToken = "") =>
    listDeadLetters(deps(), { accountId, state, pageSize: 1, pageToken });
  assert.deepEqual(
    [
      (await list(first.accountId, "OPEN")).rows.length,
      (await list(first.accountId, "VOIDED")).rows[0]?.id,
      (await list(second.accountId, "OPEN")).rows[0]?.id,
    ],
    [0, first.letter.id, second.letter.id],
  );
  const ids: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await list("", "OPEN", pageToken);
    ids.push(...page.rows.map((letter) => letter.id));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  assert.ok(ids.length > 1);
  assert.deepEqual(ids, [...ids].sort());
  await assert.rejects(list(second.accountId, "OPEN", "nonsense"), {
    reason: "PAGE_TOKEN_INVALID",
  });
});
