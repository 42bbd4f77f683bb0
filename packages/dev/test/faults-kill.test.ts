import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { Redis } from "ioredis";
import { checkConservation } from "../src/conservation/check-conservation.ts";
import { figure, openBooks } from "../src/conservation/open-books.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { comeToRest } from "../src/faults/come-to-rest.ts";
import { type CallRecord, makeCall, openClients } from "../src/faults/make-call.ts";
import { type FaultStack, openFaultStack, shortLives } from "../src/faults/open-fault-stack.ts";
import { openRound, type Round } from "../src/faults/open-round.ts";
import { seededRandom } from "../src/faults/seeded-random.ts";
import type { Load } from "../src/faults/start-load.ts";
import { freeze, killHard, type Victim } from "../src/faults/strike.ts";
import { underFire } from "../src/faults/under-fire.ts";

// One billing and two gateways under all the load that the machine gives, while each process is killed, frozen or stopped in turn.

const isLong = process.env.FAREBOX_TEST_LONG === "1";
const random = seededRandom();
console.log(`FAREBOX_TEST_SEED=${random.seed}`);

let faults: FaultStack;
const agent = openClients();

before(async () => {
  faults = await openFaultStack({ gateways: 2 });
});

after(async () => {
  await agent.close();
  await faults?.[Symbol.asyncDispose]();
});

async function fire(
  t: TestContext,
  strike: (round: Round, load: Load) => Promise<void>,
  deaths: "none" | "some" = "none",
): Promise<void> {
  for (let round = 0; round < (isLong ? 3 : 1); round++) {
    const report = await underFire(faults, {
      ...{ random, deaths, strike },
      clients: isLong ? 192 : 96,
      answers: isLong ? 6_000 : 700,
    });
    const { beforeStrike, peak } = report.perSecond;
    t.diagnostic(`${report.calls} calls, ${beforeStrike}/s before the strike, ${peak}/s at best`);
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

test("calls under load, nothing struck: the load itself agrees with the books", async (t) => {
  await fire(t, async () => undefined);
});

test("billing is killed under load: every outcome is charged once", async (t) => {
  await fire(t, () => killHard(victim("billing")));
});

test("MariaDB is killed under load: every outcome is charged once", async (t) => {
  await fire(t, () => killHard(victim("mariadb")));
});

test("Redis is flushed and killed under load: no money moves", async (t) => {
  await fire(t, async (_, load) => {
    const redis = new Redis(faults.stack.dev.redisUrl, { maxRetriesPerRequest: 1 });
    redis.on("error", () => undefined);
    await redis.flushall();
    redis.disconnect();
    await load.completes(500);
    await killHard(victim("redis"));
  });
});

test("billing sleeps five seconds under load: every outcome is charged once", async (t) => {
  await fire(t, () => freeze(victim("billing"), 5_000));
});

test("a gateway is told to stop while it streams: the streams finish, are charged, and nothing stays held", async () => {
  const { rich: customer, calls, accountIds } = await openRound(faults);
  const gateway = faults.stack.children.get("gateway");
  assert.ok(gateway);
  const begun = new Set<number>();
  const streams = Array.from({ length: 20 }, (_, at) =>
    makeCall(agent, {
      gatewayUrl: faults.stack.gatewayUrls[0] ?? "",
      ...{ ...customer, isStream: true, maxTokens: 200 },
      scenario: "output=60,chunks=60,gap=40",
      // A busy machine hands over the first chunks together.
      onChunk: () => begun.add(at),
    }),
  );
  await awaitCondition("every stream to begin", () => begun.size === streams.length);
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
    accountIds,
  });
  assert.equal(await openLeasesOf("gateway"), 0n);
  const charged = new Set(found.charges.map((it) => it.upstreamId));
  assert.deepEqual(
    records.filter((it) => !charged.has(it.upstreamId)),
    [],
  );
  await faults.stack.start("gateway");
  await comeToRest(faults, calls, "none", { accountIds });
});

test("a gateway is killed amid streams: these are charged to within a checkpoint, all else once", async (t) => {
  const killAmidStreams = async ({ rich: customer, calls, accountIds }: Round) => {
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
    await assertCutToCheckpoint(cut, accountIds);
  };
  await fire(t, killAmidStreams, "some");
});

const tokensPerChunk = 10;
const checkpointTokens = 512;

async function assertCutToCheckpoint(
  cut: readonly CallRecord[],
  accountIds: readonly string[],
): Promise<void> {
  assert.ok(cut.every((it) => it.end === "broken" && it.requestId !== ""));
  const byRequest = await awaitCondition("the cut streams' charges", async () => {
    const { charges } = await checkConservation({
      databaseUrl: faults.stack.dev.databaseUrl,
      upstreamUrl: faults.upstreamUrl,
      accountIds,
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

test("everything is told to stop under load and starts again: every outcome is charged once", async (t) => {
  await fire(t, () => faults.restartAll());
});

test("after all of it nothing drifts in any account of the installation", async () => {
  assert.deepEqual(await faults.office.drifts(), []);
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
