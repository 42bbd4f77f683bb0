import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { systemClock } from "@farebox/kit/clock";
import { formatId, newUuid } from "@farebox/kit/ids";
import { createLogger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import { openMysql, type Pool } from "@farebox/kit/mysql";
import { serviceMount } from "@farebox/kit/service-mount";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import { serveForTest, type TestServer } from "@farebox/kit/testing/rpc";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import {
  SettleStatus,
  SettleStatusSchema,
  UsageItemSchema,
} from "@farebox/proto/farebox/billing/v1/usage";
import type { DecodedItem } from "../src/domain/usage-item.ts";
import { createMoneyEvents } from "../src/events.ts";
import { runReconciliation } from "../src/operations/run-reconciliation.ts";
import { createSettleCodec } from "../src/rpc/settle-codec.ts";
import { settleUsageMethod } from "../src/rpc/settle-usage-method.ts";
import { createAccountFacts } from "../src/store/account-facts.ts";
import { createSnapshotPrices } from "../src/store/snapshot-prices.ts";
import { type LeaseFixture, leaseFixture } from "./lease-fixture.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { recordLeaseEvents } from "./recorded-lease-events.ts";
import { encodeItem, nanoPrice, usageItem, writeNanoPrice } from "./usage-fixture.ts";

let database: TestDatabase;
let rows: LeaseFixture;
before(async () => {
  database = await openBillingDatabase();
  rows = leaseFixture(database.pool, systemClock);
  await writeNanoPrice(database.pool);
});
after(() => database[Symbol.asyncDispose]());

/** A billing process as far as settlement goes. */
function serve(pool: Pool = database.pool): Promise<TestServer> {
  const codec = createSettleCodec();
  const log = createLogger({ name: "test", level: "silent" });
  const settleUsage = settleUsageMethod({
    pool,
    clock: systemClock,
    facts: createAccountFacts(pool),
    prices: createSnapshotPrices(pool),
    events: { ...createMoneyEvents({ log, metrics: createMetrics() }), ...recordLeaseEvents() },
    oldestKeptDayMs: () => 0,
    leaseValidForMs: 30_000,
    codec,
  });
  const options = { codecs: { settleUsage: codec }, unvalidated: ["settleUsage"] } as const;
  return serveForTest([serviceMount(BillingService, { settleUsage }, options)]);
}

type Items = readonly DecodedItem[];

/** A gateway's end of a stream. */
function connect(server: TestServer, gatewayId: Buffer, bootId: Buffer) {
  const stream = server.client(BillingService).settleUsage();
  const answers = stream[Symbol.asyncIterator]();
  stream.write({
    message: { case: "hello", value: { gatewayId: formatId("gtw", gatewayId), bootId } },
  });
  const send = (sequence: number, items: Items) =>
    stream.write({
      message: {
        case: "batch",
        value: {
          sequence: BigInt(sequence),
          items: items.map((item) => fromBinary(UsageItemSchema, encodeItem(item))),
        },
      },
    });
  return {
    cancel: () => stream.cancel(),
    renew: () => stream.write({ message: { case: "renew", value: { sequence: 1n } } }),
    send,
    next: async () => {
      const answer = await answers.next();
      assert.ok(answer.done !== true, "the stream goes on");
      return answer.value.message;
    },
    /** Sends batches, numbered from 1. */
    sendAll: (batches: readonly Items[]) => {
      for (const [index, items] of batches.entries()) send(index + 1, items);
    },
    /** The statuses of the next acknowledgement. */
    acknowledged: async () => {
      const answer = await answers.next();
      assert.ok(answer.done !== true && answer.value.message.case === "acknowledgement");
      return answer.value.message.value;
    },
  };
}

const batchOf = (accountId: string, leaseId: Buffer, count: number): DecodedItem[] =>
  Array.from({ length: count }, () =>
    usageItem({
      accountId,
      leaseId: leaseId.toString("hex"),
      priceSnapshotId: nanoPrice.id,
      cost: 1,
    }),
  );
const counted = (statuses: readonly SettleStatus[]) => {
  const counts: Record<string, number> = {};
  for (const status of statuses) {
    const name = SettleStatusSchema.value[status]?.localName ?? "";
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
};
const spent = async (accountId: string) => {
  const { available, held } = await rows.balance(accountId);
  return 10_000 - available - held;
};
async function assertNoDrift(): Promise<void> {
  const deps = { pool: database.pool, clock: systemClock, retentionDays: 90 };
  const input = { accountId: "", signal: new AbortController().signal };
  assert.deepEqual((await runReconciliation(deps, input)).drifts, []);
}

test("settles batches over the wire, and answers each item of each", async () => {
  await using server = await serve();
  const account = await rows.account(10_000);
  const gateway = newUuid();
  const stream = connect(server, gateway, newUuid());
  const welcome = await stream.next();
  assert.equal(welcome.case === "welcome" && welcome.value.epoch, 1n);
  const lease = await rows.gatewayLease(account, gateway, 1n, 5_000);
  const batches = [1_000, 1, 500].map((count) => batchOf(account, lease, count));
  stream.sendAll(batches);
  for (const [index, items] of batches.entries()) {
    const { sequence, statuses } = await stream.acknowledged();
    assert.deepEqual([sequence, counted(statuses)], [BigInt(index + 1), { APPLIED: items.length }]);
  }
  stream.send(4, batches[0] ?? []);
  assert.deepEqual(counted((await stream.acknowledged()).statuses), { DUPLICATE: 1_000 });
  assert.equal(await spent(account), 1_501);
  await assertNoDrift();
});

test("settles 999 of a batch of 1000 with one that is poisoned, and names the one", async () => {
  await using server = await serve();
  const account = await rows.account(10_000);
  const gateway = newUuid();
  const stream = connect(server, gateway, newUuid());
  await stream.next();
  const lease = await rows.gatewayLease(account, gateway, 1n, 5_000);
  const items = batchOf(account, lease, 1_000);
  items[500] = usageItem({
    accountId: account,
    priceSnapshotId: nanoPrice.id,
    cost: 3,
    costNanos: 2n,
  });
  stream.send(1, items);
  const { statuses } = await stream.acknowledged();
  assert.deepEqual(counted(statuses), { APPLIED: 999, DEAD_LETTERED: 1 });
  assert.equal(statuses[500], SettleStatus.DEAD_LETTERED);
  assert.equal(await spent(account), 999);
  await assertNoDrift();
});

test("charges once what was sent again after the stream was killed, wherever it was killed", async () => {
  await using server = await serve();
  const account = await rows.account(10_000);
  const [gateway, boot] = [newUuid(), newUuid()];
  let journal: DecodedItem[][] = [];
  for (let acknowledged = 0; acknowledged < 6; acknowledged += 1) {
    const stream = connect(server, gateway, boot);
    const welcome = await stream.next();
    assert.equal(welcome.case === "welcome" && welcome.value.epoch, 1n, "a reconnect");
    const lease = await rows.gatewayLease(account, gateway, 1n, 400);
    const fresh = Array.from({ length: 6 }, () => batchOf(account, lease, 50));
    journal = [...journal, ...fresh];
    stream.sendAll(journal);
    // So many answers arrive; the others are lost with the connection, while billing may still be at it.
    for (let count = 0; count < acknowledged; count += 1) await stream.acknowledged();
    stream.cancel();
    journal = journal.slice(acknowledged);
  }
  const stream = connect(server, gateway, boot);
  await stream.next();
  stream.sendAll(journal);
  for (const _ of journal) {
    const { statuses } = await stream.acknowledged();
    assert.deepEqual(
      statuses.filter(
        (status) => status !== SettleStatus.APPLIED && status !== SettleStatus.DUPLICATE,
      ),
      [],
    );
  }
  assert.equal(await spent(account), 6 * 6 * 50);
  await assertNoDrift();
});

test("settles for a stream that a newer boot at another process has superseded, and ends it at its renewal", async () => {
  await using first = await serve();
  await using second = await serve();
  const account = await rows.account(10_000);
  const gateway = newUuid();
  const older = connect(first, gateway, newUuid());
  await older.next();
  const lease = await rows.gatewayLease(account, gateway, 1n, 100);
  const newer = connect(second, gateway, newUuid());
  const welcome = await newer.next();
  assert.equal(welcome.case === "welcome" && welcome.value.epoch, 2n);
  older.send(1, batchOf(account, lease, 10));
  assert.deepEqual(counted((await older.acknowledged()).statuses), { APPLIED: 10 });
  older.renew();
  await assert.rejects(older.next(), { reason: "EPOCH_STALE" });
  newer.renew();
  assert.equal((await newer.next()).case, "renewed");
  newer.send(1, batchOf(account, lease, 5));
  assert.deepEqual(counted((await newer.acknowledged()).statuses), { APPLIED: 5 });
  assert.equal(await spent(account), 15);
});

test("ends streams with UNAVAILABLE at shutdown, and what was sent is charged once afterwards", async () => {
  const account = await rows.account(10_000);
  const [gateway, boot] = [newUuid(), newUuid()];
  const server = await serve();
  const stream = connect(server, gateway, boot);
  await stream.next();
  const lease = await rows.gatewayLease(account, gateway, 1n, 1_000);
  const batches = Array.from({ length: 4 }, () => batchOf(account, lease, 200));
  stream.sendAll(batches);
  await stream.acknowledged();
  const ended = assert.rejects(
    async () => {
      for (;;) await stream.next();
    },
    { reason: "UNAVAILABLE" },
  );
  await server[Symbol.asyncDispose]();
  await ended;
  await using again = await serve();
  const resumed = connect(again, gateway, boot);
  await resumed.next();
  resumed.sendAll(batches);
  for (const _ of batches) await resumed.acknowledged();
  assert.equal(await spent(account), 800);
  await assertNoDrift();
});

test("answers UNAVAILABLE while there is no database", async () => {
  const dead = openMysql({ url: "mysql://root@127.0.0.1:9/none", connectionsMax: 1 });
  await using server = await serve(dead);
  const stream = connect(server, newUuid(), newUuid());
  await assert.rejects(stream.next(), { reason: "UNAVAILABLE" });
  await dead.end();
});
