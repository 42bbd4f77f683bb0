import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createGrpcClient } from "@farebox/kit/grpc-client";
import { BillingService, Decision } from "@farebox/proto/farebox/billing/v1/billing_service";
import { SettleStatus } from "@farebox/proto/farebox/billing/v1/usage";
import { checkConservation } from "../src/conservation/check-conservation.ts";
import { figure, openBooks } from "../src/conservation/open-books.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { comeToRest } from "../src/faults/come-to-rest.ts";
import { type CuttingProxy, startCuttingProxy } from "../src/faults/cutting-proxy.ts";
import { type CallRecord, makeCall, openClients } from "../src/faults/make-call.ts";
import type { Customer } from "../src/faults/office.ts";
import { type FaultStack, openFaultStack } from "../src/faults/open-fault-stack.ts";
import { seededRandom } from "../src/faults/seeded-random.ts";
import { startLoad } from "../src/faults/start-load.ts";
import { freeze, killForGood } from "../src/faults/strike.ts";
import { tearJournal, tears } from "../src/faults/tear-journal.ts";
import { watchInvariants } from "../src/faults/watch-invariants.ts";
import { freePort } from "../src/free-port.ts";

// Of two gateways the first reaches billing only through a proxy that loses answers, parts and heals.

const isLong = process.env.FAREBOX_TEST_LONG === "1";
const random = seededRandom();
console.log(`FAREBOX_TEST_SEED=${random.seed}`);

let faults: FaultStack;
let proxy: CuttingProxy;
let customer: Customer;
let deaths: "none" | "some" = "none";
const calls: CallRecord[] = [];
const agent = openClients();

before(async () => {
  let home = "";
  const target = () => {
    const ports: Record<string, number> = JSON.parse(
      readFileSync(join(home, "ports.json"), "utf8"),
    );
    return { host: "127.0.0.1", port: ports.billing ?? 0 };
  };
  proxy = await startCuttingProxy(await freePort(), target);
  faults = await openFaultStack({
    gateways: 2,
    gateway: (name, where) => {
      home = where;
      return name === "gateway" ? { BILLING_ADDRESS: proxy.address } : {};
    },
  });
  customer = await faults.office.newCustomer(1_000_000_000_000n);
});

after(async () => {
  await agent.close();
  await faults?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
});

const firstGateway = () => faults.stack.gatewayUrls.slice(0, 1);
const secondGateway = () => faults.stack.gatewayUrls[1] ?? "";

function load(gatewayUrls: readonly string[], who = customer) {
  return startLoad({ gatewayUrls, customers: [who], clients: isLong ? 48 : 16, random });
}

function count(sql: string, values: readonly unknown[] = []): Promise<bigint> {
  return openBooks(faults.stack.dev.databaseUrl, async (books) => {
    const [row] = await books.rows(sql, values);
    return row === undefined ? 0n : figure(row, "found");
  });
}

const transactions = () => count("SELECT COUNT(*) AS found FROM usage_transaction");

test("a CheckQuota and a DeductQuota whose answers are lost after COMMIT are done once when repeated", async () => {
  const { accountId } = await faults.office.newCustomer(1_000_000n);
  const client = createGrpcClient(BillingService, {
    address: proxy.address,
    serviceToken: faults.stack.dev.serviceToken,
    deadlineMs: 20_000,
  });
  try {
    await client.checkBalance({ accountId });
    const ask = {
      ...{ requestId: "lost-ask", accountId, service: "llm" },
      estimatedCost: { amountNanos: 70_000n },
    };
    proxy.swallowAnswers();
    const lostAsk = assert.rejects(client.checkQuota(ask));
    const held = "SELECT held AS found FROM balance WHERE account_id = ?";
    await awaitCondition("the grant", async () => (await count(held, [accountId])) === 70_000n);
    proxy.heal();
    await lostAsk;
    const answer = await awaitCondition("an answer", () => client.checkQuota(ask));
    assert.equal(answer.decision, Decision.ALLOW);
    assert.equal(answer.lease?.granted?.amountNanos, 70_000n);
    assert.equal(await count(held, [accountId]), 70_000n);

    const deduct = {
      ...{ requestId: "lost-deduct", accountId, leaseId: answer.lease?.id ?? "", close: true },
      charges: [{ requestId: "lost-charge", amount: { amountNanos: 41_234n } }],
    };
    proxy.swallowAnswers();
    const lostDeduct = assert.rejects(client.deductQuota(deduct));
    const spent = "SELECT spent AS found FROM balance WHERE account_id = ?";
    await awaitCondition("the charge", async () => (await count(spent, [accountId])) === 41_234n);
    proxy.heal();
    await lostDeduct;
    const { results } = await awaitCondition("an answer", () => client.deductQuota(deduct));
    assert.equal(results[0]?.status, SettleStatus.DUPLICATE);
    assert.equal(results[0]?.charged?.amountNanos, 41_234n);
    assert.equal(await count(spent, [accountId]), 41_234n);
    assert.equal(await count(held, [accountId]), 0n);
  } finally {
    proxy.heal();
    client.close();
  }
});

test("settlements and grants whose answers are lost after COMMIT, again and again under load, happen once", async () => {
  await using watch = watchInvariants(faults.stack.dev.databaseUrl);
  await using driven = load(firstGateway());
  for (let round = 0; round < (isLong ? 20 : 3); round++) {
    await driven.completes(60 + random.below(100));
    await loseAnswersOfCommits(driven);
  }
  await driven.completes(100);
  calls.push(...(await driven.stop()));
  await comeToRest(faults, calls, deaths);
  assert.deepEqual(await watch.stop(), []);
  assert.deepEqual(await faults.office.drifts(), []);
});

/**
 * Keeps answers back until a settlement is committed behind them. Every call may be waiting for a grant whose answer is kept
 * back too, so that nothing more is settled: then the answers go through for a while, and it is tried again.
 */
async function loseAnswersOfCommits(driven: Awaited<ReturnType<typeof load>>): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const before = await transactions();
    proxy.swallowAnswers();
    const isCommitted = await awaitCondition(
      "a commit that is not answered",
      async () => (await transactions()) > before,
      2_000,
    ).catch(() => false);
    proxy.heal();
    if (isCommitted) return;
    await driven.completes(20);
  }
  assert.fail("nothing was settled while answers were kept back");
}

test("a gateway cut off from billing serves from its leases, then refuses, then goes on; nothing is lost", async () => {
  await using driven = load(faults.stack.gatewayUrls);
  await driven.completes(150);
  proxy.partition();
  await awaitCondition(
    "the parted gateway's leases to become suspect",
    async () =>
      (await count("SELECT COUNT(*) AS found FROM gateway_session WHERE suspect_epoch = epoch")) >
      0n,
  );
  await awaitCondition("the parted gateway to refuse", async () => {
    const record = await makeCall(agent, { gatewayUrl: firstGateway()[0] ?? "", ...customer });
    calls.push(record);
    return record.status === 503;
  });
  proxy.heal();
  await awaitCondition("the gateway to serve again", async () => {
    const record = await makeCall(agent, { gatewayUrl: firstGateway()[0] ?? "", ...customer });
    calls.push(record);
    return record.end === "complete";
  });
  await driven.completes(150);
  calls.push(...(await driven.stop()));
  await comeToRest(faults, calls, deaths);
  assert.deepEqual(await faults.office.drifts(), []);
});

test("a gateway frozen for longer than its leases live admits nothing from them when it wakes", async () => {
  const poor = await faults.office.newCustomer(3_000_000n);
  const wish = { ...poor, maxTokens: 64, scenario: "output=10" };
  for (let at = 0; at < 20; at++) {
    calls.push(await makeCall(agent, { ...wish, gatewayUrl: secondGateway() }));
  }
  // What it has not told yet would be charged late, as debt: that is another test's matter.
  const told = "SELECT COUNT(*) AS found FROM usage_transaction WHERE account_id = ?";
  await awaitCondition(
    "the first calls' charges",
    async () => (await count(told, [poor.accountId])) === 20n,
  );
  const gateway = faults.stack.children.get("gateway2");
  assert.ok(gateway);
  let queued: readonly Promise<CallRecord>[] = [];
  await freeze(gateway, 0, async () => {
    queued = Array.from({ length: 20 }, () =>
      makeCall(agent, { ...wish, gatewayUrl: secondGateway() }),
    );
    const open = `SELECT COUNT(*) AS found FROM lease
      WHERE account_id = ? AND state IN ('OPEN', 'SUSPECT')`;
    await awaitCondition(
      "the frozen gateway's money to return",
      async () => (await count(open, [poor.accountId])) === 0n,
    );
    // Somebody else spends all of it.
    let refusals = 0;
    for (let at = 0; refusals < 2 && at < 1_000; at++) {
      const record = await makeCall(agent, { ...wish, gatewayUrl: firstGateway()[0] ?? "" });
      calls.push(record);
      if (record.end !== "refused") continue;
      refusals += 1;
      await awaitCondition("its leases to close", async () => {
        return (await count(open, [poor.accountId])) === 0n;
      });
    }
    assert.equal(refusals, 2);
  });
  const answers = await Promise.all(queued);
  calls.push(...answers);
  assert.deepEqual(
    answers.filter((it) => it.end !== "refused"),
    [],
  );
  const { balance } = await faults.office.billing.checkBalance({ accountId: poor.accountId });
  assert.equal(balance?.receivable?.amountNanos ?? 0n, 0n);
  await comeToRest(faults, calls, deaths);
});

test("a gateway that never returns: its leases are released with an alarm, and what it tells later is charged late, once", async () => {
  const someone = await faults.office.newCustomer(10_000_000_000n);
  const gateway = faults.stack.children.get("gateway");
  assert.ok(gateway);
  await using driven = load(firstGateway(), someone);
  await driven.completes(200);
  proxy.partition();
  await driven.completes(30);
  await killForGood(gateway);
  deaths = "some";
  calls.push(...(await driven.stop()));
  proxy.heal();
  const leases = (states: string) =>
    count(`SELECT COUNT(*) AS found FROM lease WHERE account_id = ? AND state IN (${states})`, [
      someone.accountId,
    ]);
  await awaitCondition(
    "its leases to become suspect",
    async () => (await leases("'SUSPECT'")) > 0n,
  );
  await awaitCondition(
    "its leases to return",
    async () => (await leases("'OPEN', 'SUSPECT'")) === 0n,
  );
  const log = readFileSync(join(faults.home, "logs", "billing.log"), "utf8");
  assert.match(log, /"level":"error"[^\n]*"event":"gateway_epochs\.abandoned"/);

  const untold = new Set(calls.filter((it) => it.end === "complete").map((it) => it.upstreamId));
  for (const it of (await conserve()).charges) untold.delete(it.upstreamId);
  assert.ok(untold.size > 0, "the gateway died with nothing untold: the test proves nothing");
  await faults.stack.start("gateway");
  await comeToRest(faults, calls, deaths);
  const { charges } = await conserve();
  const late = new Set(charges.filter((it) => it.isLate).map((it) => it.upstreamId));
  assert.deepEqual(
    [...untold].filter((id) => !late.has(id)),
    [],
  );
  assert.deepEqual(await faults.office.drifts(), []);
});

function conserve() {
  return checkConservation({
    databaseUrl: faults.stack.dev.databaseUrl,
    upstreamUrl: faults.upstreamUrl,
  });
}

test("a torn record at the end of a dead gateway's journal is dropped, and nothing else", async () => {
  for (const tear of isLong ? [...tears, ...tears, ...tears] : tears) {
    const gateway = faults.stack.children.get("gateway");
    assert.ok(gateway);
    await using driven = load(firstGateway());
    await driven.completes(60 + random.below(60));
    await killForGood(gateway);
    calls.push(...(await driven.stop()));
    tearJournal(join(faults.home, "gateway", "journal"), tear);
    await faults.stack.start("gateway");
    const record = await awaitCondition(`service after ${tear}`, async () => {
      const made = await makeCall(agent, { gatewayUrl: firstGateway()[0] ?? "", ...customer });
      calls.push(made);
      return made.end === "complete" ? made : undefined;
    });
    assert.equal(record.status, 200);
  }
  await comeToRest(faults, calls, deaths);
  assert.deepEqual(await faults.office.drifts(), []);
});
