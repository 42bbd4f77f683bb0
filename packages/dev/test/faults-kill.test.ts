import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { checkConservation } from "../src/conservation/check-conservation.ts";
import { figure, openBooks } from "../src/conservation/open-books.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { comeToRest } from "../src/faults/come-to-rest.ts";
import { type CallRecord, makeCall, openClients } from "../src/faults/make-call.ts";
import type { Customer } from "../src/faults/office.ts";
import { type FaultStack, openFaultStack, shortLives } from "../src/faults/open-fault-stack.ts";
import { seededRandom } from "../src/faults/seeded-random.ts";
import type { Load } from "../src/faults/start-load.ts";
import { freeze, killHard, type Victim } from "../src/faults/strike.ts";
import { underFire } from "../src/faults/under-fire.ts";

// One billing and two gateways under load, while each process is killed, frozen or stopped in turn.

const isLong = process.env.FAREBOX_TEST_LONG === "1";
const random = seededRandom();
console.log(`FAREBOX_TEST_SEED=${random.seed}`);

let faults: FaultStack;
let customers: readonly Customer[] = [];
let deaths: "none" | "some" = "none";
const calls: CallRecord[] = [];
const agent = openClients();

before(async () => {
  faults = await openFaultStack({ gateways: 2 });
  // Rich ones, and one whose money ends amid the load.
  const credits = [1_000_000_000_000n, 1_000_000_000_000n, 1_000_000_000_000n, 20_000_000n];
  customers = await Promise.all(credits.map((credit) => faults.office.newCustomer(credit)));
});

after(async () => {
  await agent.close();
  await faults?.[Symbol.asyncDispose]();
});

async function fire(strike: (load: Load) => Promise<void>): Promise<void> {
  for (let round = 0; round < (isLong ? 3 : 1); round++) {
    const report = await underFire(faults, {
      ...{ customers, random, calls, deaths, strike },
      clients: isLong ? 64 : 24,
      answers: isLong ? 1_500 : 250,
    });
    assert.deepEqual(report.brokenLaws, []);
    assert.ok(report.looks > 0);
    assert.deepEqual(report.drifts, []);
  }
}

function victim(name: string): Victim {
  const found =
    faults.stack.children.get(name) ??
    faults.stack.databases.servers.find((server) => server.name === name);
  assert.ok(found, name);
  return found;
}

test("calls under load, nothing struck: the load itself agrees with the books", async () => {
  await fire(async () => undefined);
});

test("billing is killed under load: every outcome is charged once", async () => {
  await fire(() => killHard(victim("billing")));
});

test("MariaDB is killed under load: every outcome is charged once", async () => {
  await fire(() => killHard(victim("mariadb")));
});

test("Redis is flushed and killed under load: no money moves", async () => {
  await fire(async (load) => {
    const redis = new Redis(faults.stack.dev.redisUrl, { maxRetriesPerRequest: 1 });
    redis.on("error", () => undefined);
    await redis.flushall();
    redis.disconnect();
    await load.completes(50);
    await killHard(victim("redis"));
  });
});

test("billing sleeps five seconds under load: every outcome is charged once", async () => {
  await fire(() => freeze(victim("billing"), 5_000));
});

test("a gateway is told to stop while it streams: the streams finish, are charged, and nothing stays held", async () => {
  const [customer] = customers;
  assert.ok(customer);
  const gateway = faults.stack.children.get("gateway");
  assert.ok(gateway);
  let begun = 0;
  const streams = Array.from({ length: 20 }, () =>
    makeCall(agent, {
      gatewayUrl: faults.stack.gatewayUrls[0] ?? "",
      ...{ ...customer, isStream: true, maxTokens: 200 },
      scenario: "output=60,chunks=60,gap=40",
      onChunk: (chunks) => {
        if (chunks === 1) begun += 1;
      },
    }),
  );
  await awaitCondition("every stream to begin", () => begun === streams.length);
  await gateway.stop();
  const records = await Promise.all(streams);
  calls.push(...records);
  assert.deepEqual(
    records.map((it) => [it.end, it.chunks]),
    records.map(() => ["complete", 60]),
  );
  // It is gone for good, so nobody but itself can have settled and closed.
  const found = await checkConservation({
    databaseUrl: faults.stack.dev.databaseUrl,
    upstreamUrl: faults.upstreamUrl,
  });
  assert.equal(await openLeasesOf("gateway"), 0n);
  const charged = new Set(found.charges.map((it) => it.upstreamId));
  assert.deepEqual(
    records.filter((it) => !charged.has(it.upstreamId)),
    [],
  );
  await faults.stack.start("gateway");
  await comeToRest(faults, calls, deaths);
});

test("a gateway is killed amid streams: these are charged to within a checkpoint, all else once", async () => {
  const [customer] = customers;
  assert.ok(customer);
  deaths = "some";
  await fire(async () => {
    const begun = new Map<number, number>();
    const streams = Array.from({ length: 8 }, (_, at) =>
      makeCall(agent, {
        gatewayUrl: faults.stack.gatewayUrls[0] ?? "",
        ...{ ...customer, isStream: true, maxTokens: 8_000 },
        scenario: "output=8000,chunks=800,gap=25",
        onChunk: (chunks) => begun.set(at, chunks),
      }),
    );
    const enough = 110 + random.below(80);
    await awaitCondition("a thousand tokens of each stream", () =>
      streams.every((_, at) => (begun.get(at) ?? 0) >= enough),
    );
    await killHard(victim("gateway"));
    await awaitCondition(
      "the dead epoch's leases to return within twice the validity",
      async () => (await oldLeases()) === 0n,
      2 * shortLives.leaseValidForMs + 5_000,
    );
    const cut = await Promise.all(streams);
    calls.push(...cut);
    await assertCutToCheckpoint(cut);
  });
});

const tokensPerChunk = 10;
const checkpointTokens = 512;

async function assertCutToCheckpoint(cut: readonly CallRecord[]): Promise<void> {
  assert.ok(cut.every((it) => it.end === "broken" && it.requestId !== ""));
  const byRequest = await awaitCondition("the cut streams' charges", async () => {
    const { charges } = await checkConservation({
      databaseUrl: faults.stack.dev.databaseUrl,
      upstreamUrl: faults.upstreamUrl,
    });
    const found = new Map(charges.map((it) => [it.requestId, it]));
    return cut.every((it) => found.has(it.requestId)) ? found : undefined;
  });
  for (const call of cut) {
    const charge = byRequest.get(call.requestId);
    assert.ok(charge);
    assert.equal(charge.state, "INTERRUPTED");
    assert.equal(charge.source, "PARTIAL");
    const received = call.chunks * tokensPerChunk;
    const charged = Number(charge.usage.outputTokens);
    // The gateway counts with a tokenizer what the upstream counts by words: a tenth either way is the same amount.
    const least = received * 0.9 - checkpointTokens;
    assert.ok(
      charged >= least && charged <= received * 1.1 + checkpointTokens,
      `${charged} of ${received}`,
    );
    assert.ok(charge.usage.inputTokens > 0n);
    assert.ok(charge.cost > 0n);
  }
}

test("everything is told to stop under load and starts again: every outcome is charged once", async () => {
  await fire(() => faults.restartAll());
});

/** How many leases are held by epochs that their gateway has left behind. */
function oldLeases(): Promise<bigint> {
  return count(`SELECT COUNT(*) AS found FROM lease JOIN gateway_session AS session
    ON session.gateway_id = lease.gateway_id
    WHERE lease.state IN ('OPEN', 'SUSPECT') AND lease.gateway_epoch < session.epoch`);
}

async function openLeasesOf(gateway: string): Promise<bigint> {
  const { readFile } = await import("node:fs/promises");
  const name = await readFile(`${faults.home}/${gateway}/journal/gateway_id`, "utf8");
  const id = Buffer.from(name.trim().slice("gtw_".length), "hex");
  return count(
    "SELECT COUNT(*) AS found FROM lease WHERE state IN ('OPEN', 'SUSPECT') AND gateway_id = ?",
    [id],
  );
}

function count(sql: string, values: readonly unknown[] = []): Promise<bigint> {
  return openBooks(faults.stack.dev.databaseUrl, async (books) => {
    const [row] = await books.rows(sql, values);
    return row === undefined ? 0n : figure(row, "found");
  });
}
