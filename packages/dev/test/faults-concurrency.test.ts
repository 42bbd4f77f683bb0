import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { newUuidText } from "@farebox/kit/ids";
import { QuotaPeriod } from "@farebox/proto/farebox/billing/v1/account";
import { Decision } from "@farebox/proto/farebox/billing/v1/billing_service";
import { FreeUnit } from "@farebox/proto/farebox/billing/v1/lease";
import { SettleStatus } from "@farebox/proto/farebox/billing/v1/usage";
import { figure, openBooks } from "../src/conservation/open-books.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { comeToRest } from "../src/faults/come-to-rest.ts";
import { upstreamKey } from "../src/faults/fault-catalogue.ts";
import { type CallRecord, makeCall, openClients } from "../src/faults/make-call.ts";
import { type FaultStack, openFaultStack } from "../src/faults/open-fault-stack.ts";
import { seededRandom } from "../src/faults/seeded-random.ts";
import { countStatuses, settleAsGateway, soundItems } from "../src/faults/settlement-script.ts";
import { watchInvariants } from "../src/faults/watch-invariants.ts";

// Two billings and three gateways on one database: everything that many callers at once could get wrong.

const isLong = process.env.FAREBOX_TEST_LONG === "1";
const random = seededRandom();
console.log(`FAREBOX_TEST_SEED=${random.seed}`);

let faults: FaultStack;
const calls: CallRecord[] = [];
const agent = openClients();

before(async () => {
  faults = await openFaultStack({
    billings: 2,
    gateways: 3,
    billing: { AUTO_CREATE_ACCOUNTS: "true" },
  });
});

after(async () => {
  await agent.close();
  await faults?.[Symbol.asyncDispose]();
});

const times = <T>(count: number, make: (at: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, at) => make(at)));

async function balanceOf(accountId: string) {
  const { balance } = await faults.office.billing.checkBalance({ accountId });
  return {
    available: balance?.available?.amountNanos ?? 0n,
    held: balance?.held?.amountNanos ?? 0n,
    spent: balance?.spent?.amountNanos ?? 0n,
    credited: balance?.credited?.amountNanos ?? 0n,
    receivable: balance?.receivable?.amountNanos ?? 0n,
  };
}

/** Waits until no lease of the account is open, so that its balance can be stated exactly. */
function atRest(accountId: string) {
  return awaitCondition("the account's leases to close", async () => {
    const balance = await balanceOf(accountId);
    return balance.held === 0n ? balance : undefined;
  });
}

/** Says it until it is answered, as a caller must: billing on a machine that other suites load may answer UNAVAILABLE. */
function repeated<T>(call: () => Promise<T>): Promise<T> {
  return awaitCondition("an answer", call, 90_000);
}

test("500 strict asks at once are granted exactly as often as the balance pays for", async () => {
  for (let round = 0; round < (isLong ? 10 : 2); round++) {
    const granted = 1 + random.below(400);
    const estimate = BigInt(1_000 + random.below(1_000_000));
    const rest = BigInt(random.below(Number(estimate)));
    const customer = await faults.office.newCustomer(estimate * BigInt(granted) + rest);
    const answers = await times(500, (at) =>
      repeated(() =>
        faults.office.billing.checkQuota({
          requestId: `ask-${at}`,
          accountId: customer.accountId,
          service: "llm",
          estimatedCost: { amountNanos: estimate },
        }),
      ),
    );
    const allowed = answers.filter((it) => it.decision === Decision.ALLOW);
    assert.equal(allowed.length, granted);
    assert.equal(new Set(allowed.map((it) => it.lease?.id)).size, granted);
    assert.ok(allowed.every((it) => it.lease?.granted?.amountNanos === estimate));
    const held = estimate * BigInt(granted);
    const credited = held + rest;
    assert.deepEqual(await balanceOf(customer.accountId), {
      ...{ available: rest, held, spent: 0n, credited, receivable: 0n },
    });
    await times(allowed.length, (at) =>
      repeated(() =>
        faults.office.billing.releaseQuota({
          requestId: `release-${at}`,
          accountId: customer.accountId,
          leaseId: allowed[at]?.lease?.id ?? "",
        }),
      ),
    );
    assert.deepEqual(await balanceOf(customer.accountId), {
      ...{ available: credited, held: 0n, spent: 0n, credited, receivable: 0n },
    });
  }
});

test("500 calls at once through three gateways on a small balance: all delivered is charged, nothing is overspent", async () => {
  await using watch = watchInvariants(faults.stack.dev.databaseUrl);
  for (let round = 0; round < (isLong ? 8 : 1); round++) {
    // Worst case of a call: some 140 prompt bytes and 64 tokens, about 57,000 nanos.
    const credit = BigInt(1_000_000 + random.below(3_000_000));
    const customer = await faults.office.newCustomer(credit);
    const records = await times(500, (at) =>
      makeCall(agent, {
        gatewayUrl: faults.stack.gatewayUrls[at % 3] ?? "",
        ...customer,
        isStream: at % 5 === 0,
        scenario: `output=${1 + random.below(64)}`,
      }),
    );
    calls.push(...records);
    assert.deepEqual(
      [...new Set(records.map((it) => `${it.end} ${it.status}`))].sort(),
      ["complete 200", "refused 402"],
      records.find((it) => it.status !== 200 && it.status !== 402)?.refusal,
    );
    const rested = await atRest(customer.accountId);
    assert.equal(rested.receivable, 0n);
    assert.equal(rested.available + rested.spent, credit);
  }
  assert.deepEqual(await watch.stop(), []);
  assert.ok(watch.looks > 0);
  await comeToRest(faults, calls, "none");
});

test("money that three gateways were granted in part is all spent in the end", async () => {
  const customer = await faults.office.newCustomer(2_000_000n);
  let refusals = 0;
  for (let at = 0; refusals < 3 && at < 500; at++) {
    const record = await makeCall(agent, {
      gatewayUrl: faults.stack.gatewayUrls[at % 3] ?? "",
      ...customer,
      scenario: "output=64",
    });
    calls.push(record);
    // A gateway refuses while others hold what is left; they give it back when nobody calls them. So only the refusals
    // of all three, one after the other, say that nobody has anything left.
    refusals = record.end === "refused" ? refusals + 1 : 0;
    if (refusals > 0) await atRest(customer.accountId);
  }
  const { available, receivable } = await atRest(customer.accountId);
  assert.equal(receivable, 0n);
  // Not even the prompt's bytes and the least useful answer of 16 tokens can be paid.
  assert.ok(available < 40_000n, `${available} nanos were left`);
});

test("usage above the worst case is charged in full, and exactly the excess becomes debt", async () => {
  const credit = 120_000n;
  const customer = await faults.office.newCustomer(credit);
  const wish = { gatewayUrl: faults.stack.gatewayUrls[0] ?? "", ...customer, maxTokens: 64 };
  const record = await makeCall(agent, { ...wish, scenario: "absurd-usage=9000" });
  calls.push(record);
  assert.equal(record.end, "complete", record.refusal);
  const rested = await atRest(customer.accountId);
  assert.equal(rested.available, 0n);
  assert.equal(rested.spent, credit + rested.receivable);
  // 9,000 tokens at 611.1 nanos, and the prompt.
  assert.ok(rested.spent > 5_499_900n && rested.spent < 5_520_000n, String(rested.spent));
  const next = await makeCall(agent, wish);
  calls.push(next);
  assert.equal(next.status, 402, next.refusal);
});

test("1000 first calls at once of a new account create one of each of its rows", async () => {
  const service = "fresh";
  await faults.office.catalog.setFreeQuota({
    ...{ service, period: QuotaPeriod.MONTH, unit: FreeUnit.REQUESTS, amount: 400n },
  });
  const accountId = `fresh-${newUuidText()}`;
  const answers = await times(1_000, (at) =>
    faults.office.billing.checkQuota({
      requestId: `first-${at}`,
      ...{ accountId, service, estimatedUnits: 1n, estimatedRequests: 1n },
      estimatedCost: { amountNanos: 1_000n },
    }),
  );
  assert.equal(answers.filter((it) => it.decision === Decision.ALLOW).length, 400);
  const rows = await openBooks(faults.stack.dev.databaseUrl, async (books) => {
    const count = async (table: string, column: string) => {
      const sql = `SELECT COUNT(*) AS found FROM ${table} WHERE ${column} = ?`;
      const [row] = await books.rows(sql, [accountId]);
      return row === undefined ? undefined : Number(figure(row, "found"));
    };
    return {
      account: await count("account", "id"),
      balance: await count("balance", "account_id"),
      freeQuotaPeriod: await count("free_quota_period", "account_id"),
      lease: await count("lease", "account_id"),
    };
  });
  assert.deepEqual(rows, { account: 1, balance: 1, freeQuotaPeriod: 1, lease: 400 });
  const { freeQuotas } = await faults.office.accounts.getAccount({ accountId });
  assert.deepEqual(
    freeQuotas.map((it) => [it.service, it.unitsGranted, it.unitsAvailable, it.unitsHeld]),
    [[service, 400n, 0n, 400n]],
  );
  await faults.office.catalog.setFreeQuota({
    ...{ service, period: QuotaPeriod.MONTH, unit: FreeUnit.REQUESTS, amount: 0n },
  });
  for (const { lease } of answers) {
    if (lease === undefined) continue;
    await faults.office.billing.releaseQuota({ requestId: "end", accountId, leaseId: lease.id });
  }
});

test("50 equal deductions at once are one charge and 50 equal answers", async () => {
  const customer = await faults.office.newCustomer(1_000_000n);
  const { accountId } = customer;
  const { lease } = await faults.office.billing.checkQuota({
    ...{ requestId: "ask", accountId, service: "llm" },
    estimatedCost: { amountNanos: 5_000n },
  });
  const leaseId = lease?.id ?? "";
  const answers = await times(50, () =>
    faults.office.billing.deductQuota({
      ...{ requestId: "deduct", accountId, leaseId },
      charges: [{ requestId: "the-only-one", amount: { amountNanos: 3_210n } }],
    }),
  );
  const [first, ...others] = answers.map(({ results }) => {
    const [result] = results;
    return [results.length, result?.requestId, result?.charged, result?.transactionId];
  });
  for (const other of others) assert.deepEqual(other, first);
  const statuses = answers.map((it) => it.results[0]?.status ?? SettleStatus.UNSPECIFIED);
  assert.deepEqual(countStatuses(statuses), { APPLIED: 1, DUPLICATE: 49 });
  await faults.office.billing.releaseQuota({ requestId: "end", accountId, leaseId });
  assert.deepEqual(await balanceOf(accountId), {
    ...{ available: 996_790n, held: 0n, spent: 3_210n, credited: 1_000_000n, receivable: 0n },
  });
});

test("50 calls with one x-request-id over three gateways are one upstream call, one charge, one 200 and 49 × 409", async () => {
  for (let round = 0; round < (isLong ? 10 : 2); round++) {
    const customer = await faults.office.newCustomer(50_000_000n);
    const requestId = `once-${newUuidText()}`;
    const records = await times(50, (at) =>
      makeCall(agent, {
        gatewayUrl: faults.stack.gatewayUrls[at % 3] ?? "",
        ...customer,
        requestId,
        scenario: round % 2 === 0 ? "slow=150" : "ok",
      }),
    );
    const counts = countBy(records.map((it) => `${it.end} ${it.status}`));
    assert.deepEqual(counts, { "complete 200": 1, "refused 409": 49 });
    const won = records.filter((it) => it.end === "complete");
    calls.push(...won);
    await atRest(customer.accountId);
    const charges = await openBooks(faults.stack.dev.databaseUrl, (books) =>
      books.rows("SELECT cost FROM usage_transaction WHERE account_id = ?", [customer.accountId]),
    );
    assert.equal(charges.length, 1);
    const again = await makeCall(agent, {
      ...{ gatewayUrl: faults.stack.gatewayUrls[1] ?? "", ...customer, requestId },
      scenario: round % 2 === 0 ? "slow=150" : "ok",
    });
    assert.equal(again.status, 409);
    assert.match(again.refusal, /REQUEST_ALREADY_CHARGED/);
    const other = await makeCall(agent, {
      ...{ gatewayUrl: faults.stack.gatewayUrls[2] ?? "", ...customer, requestId },
      prompt: "Another question",
    });
    assert.equal(other.status, 409);
    assert.match(other.refusal, /REQUEST_ID_REUSED/);
  }
  // Each refused call would be an attempt more at the upstream.
  await comeToRest(faults, calls, "none");
});

test("one poisoned charge of a thousand is named, and the others are settled", async () => {
  const { accountId } = await faults.office.newCustomer(10_000_000n);
  const poisoned = random.below(1_000);
  const { results, balance } = await faults.office.billing.deductQuota({
    ...{ requestId: "thousand", accountId },
    charges: Array.from({ length: 1_000 }, (_, at) => ({
      requestId: `charge-${at}`,
      amount: { amountNanos: at === poisoned ? -1n : 7n },
    })),
  });
  assert.deepEqual(countStatuses(results.map((it) => it.status)), { APPLIED: 999, REJECTED: 1 });
  const rejected = results.find((it) => it.status === SettleStatus.REJECTED);
  assert.equal(rejected?.requestId, `charge-${poisoned}`);
  assert.match(rejected?.field ?? "", /amount/);
  assert.equal(balance?.spent?.amountNanos, 999n * 7n);
});

test("one poisoned outcome of a thousand is put aside, and the others are settled, once, however often they come", async () => {
  const customer = await faults.office.newCustomer(100_000_000n);
  const items = await soundItems(faults.office, customer, 1_000);
  const poisoned = random.below(1_000);
  const batch = items.map((item, at) =>
    at === poisoned ? { ...item, costNanos: (item.costNanos ?? 0n) + 1n } : item,
  );
  const [first, second] = await settleAsGateway(faults.office, newUuidText(), [batch, batch]);
  assert.deepEqual(countStatuses(first ?? []), { APPLIED: 999, DEAD_LETTERED: 1 });
  assert.equal(first?.[poisoned], SettleStatus.DEAD_LETTERED);
  assert.deepEqual(countStatuses(second ?? []), { DUPLICATE: 999, DEAD_LETTERED: 1 });
  const balance = await balanceOf(customer.accountId);
  assert.equal(balance.spent, 999n * (items[0]?.costNanos ?? 0n));
  const { deadLetters } = await faults.office.operations.listDeadLetters({
    accountId: customer.accountId,
  });
  assert.deepEqual(
    deadLetters.map((it) => Buffer.from(it.item?.id ?? []).toString("hex")),
    [Buffer.from(items[poisoned]?.id ?? []).toString("hex")],
  );
});

test("prompts, keys and tokens are in no log, no journal and no refusal", async () => {
  const customer = await faults.office.newCustomer(50_000_000n);
  const prompt = `canary-prompt-${newUuidText()}`;
  const wrongKey = `fbx_${"canarywrongkey".padEnd(49, "0")}`;
  const wishes = [
    { ...customer },
    { ...customer, isStream: true },
    { ...customer, scenario: "429" },
    { ...customer, scenario: "500" },
    { ...customer, scenario: "no-usage" },
    { ...customer, isStream: true, scenario: "cut-before-usage=3" },
    { ...customer, scenario: "error-200" },
    { ...customer, apiKey: wrongKey },
    { ...(await faults.office.newCustomer(0n)) },
  ];
  const made = await Promise.all(
    wishes.map((wish, at) =>
      makeCall(agent, { ...wish, prompt, gatewayUrl: faults.stack.gatewayUrls[at % 3] ?? "" }),
    ),
  );
  calls.push(...made);
  assert.deepEqual(
    made.map((it) => it.end === "complete"),
    [true, true, false, false, true, false, made[6]?.end === "complete", false, false],
  );
  await atRest(customer.accountId);
  const canaries = [prompt, wrongKey, customer.apiKey, faults.stack.dev.serviceToken, upstreamKey];
  for (const { refusal } of made) {
    for (const canary of canaries) assert.ok(!refusal.includes(canary), refusal);
  }
  const files = ["logs", ...gatewayNames.map((name) => `${name}/journal`)].flatMap((folder) =>
    readdirSync(join(faults.home, folder)).map((name) => join(faults.home, folder, name)),
  );
  assert.ok(files.length > 6);
  for (const file of files) {
    const bytes = readFileSync(file);
    for (const canary of canaries) assert.equal(bytes.indexOf(canary), -1, `${file}: ${canary}`);
  }
});

const gatewayNames = ["gateway", "gateway2", "gateway3"];

test("nothing drifts after all of this", async () => {
  assert.deepEqual(await faults.office.drifts(), []);
});

function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
