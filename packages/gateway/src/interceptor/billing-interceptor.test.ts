import assert from "node:assert/strict";
import test from "node:test";
import { AppError } from "@farebox/kit/app-error";
import { demoCall } from "../../testing/attempt.ts";
import { FakeBilling } from "../../testing/fake-billing.ts";
import { journalDirectory, smallJournal } from "../../testing/journal.ts";
import { delivered, openTestBilling } from "../../testing/open-test-billing.ts";
import type { BilledCall } from "./billed-call.ts";
import type { CallHold } from "./call-hold.ts";
import type { OpenBilling } from "./open-billing.ts";

const caller = { accountId: "acc", apiKeyId: "key_1", userId: "" };
const soon = () => AbortSignal.timeout(5000);
const failed = {
  state: "failed",
  httpStatus: 502,
  latencyMs: 1,
  timeToFirstTokenMs: undefined,
  upstreamId: "",
  errorReason: "UPSTREAM_UNAVAILABLE",
} as const;

/** Makes a call of 1000 nanos a request, so that tests can reason in thousands. */
function thousand(over: Partial<BilledCall> = {}): BilledCall {
  return demoCall({ worstCaseNanos: 1_000_000n, minimumNanos: 100_000n, ...over });
}

async function opened(
  t: { after(fn: () => Promise<void>): void },
  billing: FakeBilling,
  over = {},
) {
  const directory = journalDirectory(t);
  const open = await openTestBilling(billing, directory, over);
  await open.ready(soon());
  return { ...open, directory };
}

async function before(open: OpenBilling, call = thousand()): Promise<CallHold> {
  return await open.interceptor.beforeRequest(caller, call);
}

async function refusal(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof AppError, `refused, not ${String(error)}`);
  return error;
}

function assertConserved(billing: FakeBilling): void {
  for (const account of billing.accounts.values()) {
    const { available, held, spent, credited, receivable } = account;
    assert.equal(available + held + spent, credited + receivable);
    assert.ok(available >= 0n && held >= 0n && receivable >= 0n);
  }
}

test("a call is reserved, settled and charged once, and a covered call answers without a promise", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 10_000_000n);
  const open = await opened(t, billing);
  const hold = await before(open);
  assert.equal(hold.grantedNanos, 1_000_000n);
  const receipt = await open.interceptor.afterRequest(hold, delivered(30));
  assert.deepEqual(receipt, {
    costNanos: 60_000n,
    transactionId: `txn_${hold.attemptId.toString("hex")}`,
  });
  assert.equal(hold.settle(delivered(999)), hold.settle(delivered(30)), "ended once");
  const covered = open.interceptor.beforeRequest(caller, thousand({ worstCaseNanos: 900_000n }));
  assert.ok(!(covered instanceof Promise), "the rest of the lease covers it");
  await covered.void(failed);
  await open.close(soon());
  const items = [...billing.items.values()].map((item) => [
    item.state,
    item.costNanos,
    item.errorCode,
  ]);
  assert.deepEqual(items, [
    [1, 60_000n, 0],
    [2, 0n, 40006],
  ]);
  assert.deepEqual(billing.account("acc"), {
    available: 9_940_000n,
    held: 0n,
    spent: 60_000n,
    credited: 10_000_000n,
    receivable: 0n,
    units: 0,
  });
});

test("calls that wait are admitted in order of arrival, by one ask for all of them", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 50_000_000n);
  const open = await opened(t, billing);
  const order: number[] = [];
  const holds = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const hold = await before(open);
      order.push(n);
      return hold;
    }),
  );
  assert.deepEqual(
    order,
    Array.from({ length: 20 }, (_, n) => n),
  );
  const estimates = billing.asks.map((ask) => ask.estimatedCost?.amountNanos);
  assert.deepEqual(estimates, [20_000_000n]);
  await Promise.all(holds.map((hold) => hold.settle(delivered(1))));
  await open.close(soon());
  assert.equal(billing.account("acc").spent, 20n * 2000n);
  assertConserved(billing);
});

test("of 500 parallel calls on money for 100 exactly 100 are admitted, whatever came first", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 100_000_000n);
  const open = await opened(t, billing);
  const call = thousand({ minimumNanos: 1_000_000n });
  const waiting = Promise.allSettled(Array.from({ length: 500 }, () => before(open, call)));
  await until(() => billing.asks.length > 0);
  // Who came late waits a moment for money of calls in flight, which these keep.
  await open.clock.advance(300);
  const settled = await waiting;
  const holds = settled.flatMap((it) => (it.status === "fulfilled" ? [it.value] : []));
  const reasons = settled.flatMap((it) => (it.status === "rejected" ? [it.reason] : []));
  assert.equal(holds.length, 100);
  for (const reason of reasons) {
    assert.ok(reason instanceof AppError && reason.reason === "INSUFFICIENT_BALANCE");
    assert.equal(reason.metadata.available, "0");
  }
  await Promise.all(holds.map((hold) => hold.settle(delivered(500))));
  await open.close(soon());
  assert.deepEqual(billing.account("acc").spent, 100_000_000n);
  assertConserved(billing);
});

test("what cannot be covered in full is clamped to what there is, and refused below its minimum", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 1_300_000n);
  const open = await opened(t, billing);
  const whole = await before(open);
  const clamped = await before(open);
  assert.deepEqual([clamped.isClamped, clamped.grantedNanos], [true, 300_000n]);
  assert.equal(whole.grow(1n), false, "nothing is left to grow by");
  const waiting = refusal(before(open));
  await open.clock.advance(300);
  const error = await waiting;
  assert.equal(error.reason, "INSUFFICIENT_BALANCE");
  await whole.settle(delivered(0));
  await clamped.settle(delivered(150));
  await open.close(soon());
  assert.equal(billing.account("acc").available, 1_000_000n);
  assertConserved(billing);
});

test("a call that waits gets the money that a call in flight gives back, instead of a refusal", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 1_000_000n);
  const open = await opened(t, billing);
  const first = await before(open);
  const second = before(open, thousand({ worstCaseNanos: 800_000n, minimumNanos: 800_000n }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await first.settle(delivered(50));
  const hold = await second;
  assert.equal(hold.grantedNanos, 800_000n);
  await hold.settle(delivered(10));
  await open.close(soon());
  assert.equal(billing.account("acc").available, 1_000_000n - 120_000n);
});

test("a client that leaves while it waits is forgotten, and the next in line is served", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 1_000_000n);
  const open = await opened(t, billing);
  const first = await before(open, thousand({ worstCaseNanos: 500_000n }));
  await (await before(open, thousand({ worstCaseNanos: 500_000n }))).void(failed);
  const leaving = new AbortController();
  const dear = open.interceptor.beforeRequest(
    caller,
    thousand({ minimumNanos: 1_000_000n }),
    () => leaving.signal,
  );
  const refused = refusal(Promise.resolve(dear));
  const behind = before(open, thousand({ worstCaseNanos: 400_000n }));
  leaving.abort();
  assert.equal((await refused).reason, "CLIENT_CLOSED");
  assert.equal((await behind).grantedNanos, 400_000n);
  await Promise.all([first.void(failed), (await behind).void(failed)]);
  await open.close(soon());
  assert.equal(billing.account("acc").available, 1_000_000n);
});

test("free units come first; a call is wholly free or wholly paid", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 5_000_000n, 2);
  const open = await opened(t, billing);
  const holds = await Promise.all([before(open), before(open), before(open)]);
  assert.deepEqual(
    holds.map((hold) => hold.isFree),
    [true, true, false],
  );
  await Promise.all(holds.map((hold) => hold.settle(delivered(10))));
  await open.close(soon());
  const charged = [...billing.items.values()].map((item) => [item.freeUnits, item.costNanos]);
  assert.deepEqual(charged, [
    [1n, 0n],
    [1n, 0n],
    [0n, 20_000n],
  ]);
});

for (const [credited, reason] of [
  [0n, "INSUFFICIENT_QUOTA"],
  [1n, "INSUFFICIENT_BALANCE"],
] as const) {
  test(`with ${credited} credited it is ${reason} when free units end, whether Billing is asked or not`, async (t) => {
    const billing = new FakeBilling();
    billing.credit("acc", credited, 3);
    const open = await opened(t, billing);
    for (let n = 0; n < 3; n++) {
      const hold = await before(open);
      assert.equal(hold.isFree, true);
      await hold.settle(delivered(10));
    }
    const asks = billing.asks.length;
    assert.equal((await refusal(before(open))).reason, reason);
    assert.equal(
      billing.asks.length,
      asks,
      "the grant of the last units said that there are no more",
    );
    await open.clock.advance(300);
    assert.equal((await refusal(before(open))).reason, reason);
    assert.equal(billing.asks.length, asks + 1);
    assert.equal((await refusal(before(open))).reason, reason);
    assert.equal(billing.asks.length, asks + 1, "a denial is remembered");
    await open.close(soon());
  });
}

test("an answer that was lost is asked for again, the very same, and grants once", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 10_000_000n);
  billing.answersToLose = 2;
  const open = await opened(t, billing);
  const waiting = before(open);
  await until(() => billing.asks.length === 1);
  await open.clock.advance(50);
  await until(() => billing.asks.length === 2);
  await open.clock.advance(100);
  const hold = await waiting;
  assert.equal(new Set(billing.asks.map((ask) => ask.requestId)).size, 1);
  assert.equal(billing.account("acc").held, 5_000_000n, "half of what there is, once");
  await hold.settle(delivered(1));
  await open.close(soon());
  assertConserved(billing);
});

for (const [share, outputTokens] of [
  ["a tenth", 50],
  ["half", 250],
] as const) {
  test(`a slow account does not ask with every other call, when calls cost ${share} of what they reserve`, async (t) => {
    const billing = new FakeBilling();
    billing.credit("acc", 1_000_000_000n);
    const open = await opened(t, billing);
    for (let call = 0; call < 30; call++) {
      const hold = await before(open);
      await hold.settle(delivered(outputTokens));
      await open.clock.advance(1500);
    }
    const asks = billing.asks.length;
    assert.ok(asks <= 3, `${asks} asks for 30 calls`);
    await open.close(soon());
    assert.equal(billing.account("acc").spent, 30n * BigInt(outputTokens) * 2000n);
    assertConserved(billing);
  });
}

test("while Billing is silent open leases go on, and other calls are refused when their time is over", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 100_000_000n);
  const open = await opened(t, billing);
  const first = await before(open, thousand({ worstCaseNanos: 10_000_000n }));
  await first.settle(delivered(1));
  billing.isDown = true;
  billing.dropStreams();
  const covered = await before(open);
  const refused = refusal(before(open, thousand({ worstCaseNanos: 90_000_000n })));
  await open.clock.advance(2000);
  assert.equal((await refused).reason, "BILLING_UNAVAILABLE");
  const after = await refusal(before(open, thousand({ worstCaseNanos: 90_000_000n })));
  assert.equal(after.reason, "BILLING_UNAVAILABLE", "at once: Billing is known to be silent");
  await open.clock.advance(28_000);
  const expired = refusal(before(open));
  await open.clock.advance(2000);
  assert.equal((await expired).reason, "BILLING_UNAVAILABLE", "the lease was not renewed for 30 s");
  await covered.settle(delivered(2));
  billing.isDown = false;
  await open.clock.advance(5000);
  await until(() => open.settlement.isConnected);
  const again = before(open);
  await open.clock.advance(2000);
  await (await again).settle(delivered(3));
  await open.close(soon());
  assert.equal(billing.account("acc").spent, 12_000n);
  assertConserved(billing);
});

test("with BILLING_ALLOW_ON_ERROR accounts in good standing are served within their grace, and charged later", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 6_000_000n); // Of which a first lease gets no more than its call needs.
  const open = await opened(t, billing, { allowOnError: true, graceNanos: 2_500_000n });
  const first = await before(open, thousand({ worstCaseNanos: 3_000_000n }));
  billing.isDown = true;
  billing.dropStreams();
  const waiting = [before(open), before(open), refusal(before(open))] as const;
  await open.clock.advance(2000);
  const [second, third, refused] = await Promise.all(waiting);
  assert.equal(refused.reason, "BILLING_UNAVAILABLE", "the third is beyond the grace");
  const stranger = open.interceptor.beforeRequest({ ...caller, accountId: "other" }, thousand());
  assert.equal((await refusal(Promise.resolve(stranger))).reason, "BILLING_UNAVAILABLE");
  await Promise.all([first, second, third].map((hold) => hold.settle(delivered(10))));
  billing.isDown = false;
  await open.clock.advance(5000);
  await until(() => billing.items.size === 3);
  const leases = [...billing.items.values()].map((item) => item.leaseId.length);
  assert.deepEqual(leases, [16, 0, 0]);
  await open.close(soon());
  assert.equal(billing.account("acc").spent, 60_000n);
  assertConserved(billing);
});

test("in a new epoch old leases are spent from no more, and returned once their calls have ended", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 100_000_000n);
  const open = await opened(t, billing);
  const old = await before(open, thousand({ worstCaseNanos: 10_000_000n }));
  billing.epoch = 2n;
  billing.dropStreams();
  await open.clock.advance(100);
  await until(() => billing.heard.filter((it) => it === "hello").length === 2);
  await new Promise((resolve) => setImmediate(resolve));
  const fresh = await before(open);
  await fresh.settle(delivered(1));
  await until(() => billing.items.size === 1);
  assert.equal(billing.drained, 0n, "a call of the old epoch still runs");
  await old.settle(delivered(2));
  await until(() => billing.drained === 1n);
  const leases = [...billing.leases.values()].map(({ epoch, settled }) => [epoch, settled]);
  assert.deepEqual(leases, [
    [1n, 4000n],
    [2n, 2000n],
  ]);
  await open.close(soon());
  assert.equal(billing.account("acc").available, 100_000_000n - 6000n);
  assertConserved(billing);
});

test("a restart settles the old journal and says so before it admits; what was cut off is charged its checkpoint", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 100_000_000n);
  const directory = journalDirectory(t);
  const first = await openTestBilling(billing, directory);
  await first.ready(soon());
  billing.isAcknowledging = false;
  const whole = await before(first);
  const cut = await before(first);
  const begun = await before(first);
  await whole.settle(delivered(10));
  cut.checkpoint({ ...delivered(7).usage });
  await first.journal.durable();
  assert.equal(begun.isFree, false);
  // The process dies here: nothing is closed, only the directory is let go.
  await first.settlement.stop();
  await first.journal.close();
  billing.isAcknowledging = true;
  billing.epoch = 2n;
  const second = await openTestBilling(billing, directory);
  assert.throws(() => second.interceptor.beforeRequest(caller, thousand()), {
    reason: "BILLING_UNAVAILABLE",
  });
  await second.ready(soon());
  assert.equal(billing.drained, 1n);
  const items = [...billing.items.values()].map((it) => [it.state, it.usageSource, it.costNanos]);
  assert.deepEqual(items.sort(), [
    [1, 1, 20_000n],
    [4, 2, 14_000n],
    [4, 4, 0n],
  ]);
  await (await before(second)).settle(delivered(1));
  await second.close(soon());
  assert.equal(billing.account("acc").spent, 36_000n);
  assert.equal(billing.account("acc").held, 0n);
  assertConserved(billing);
});

test("an idle lease is closed with its total; a call that arrives meanwhile waits for the money it returns", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 1_000_000n);
  const open = await opened(t, billing);
  await (await before(open)).settle(delivered(50));
  await until(() => billing.items.size === 1);
  await open.clock.advance(2000);
  await until(() => billing.heard.some((it) => it.startsWith("close")));
  const again = await before(open, thousand({ worstCaseNanos: 900_000n }));
  assert.equal(again.grantedNanos, 900_000n);
  await again.void(failed);
  await open.close(soon());
  assert.equal(billing.account("acc").available, 900_000n);
});

test("a claimed request id is made once; a refused call gives its claim back", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 1_000_000n);
  const open = await opened(t, billing);
  const claimed = thousand({ claimSha256: Buffer.alloc(32, 1) });
  const first = await before(open, claimed);
  assert.equal((await refusal(before(open, claimed))).reason, "REQUEST_IN_PROGRESS");
  const other = thousand({ claimSha256: Buffer.alloc(32, 2) });
  assert.equal((await refusal(before(open, other))).reason, "REQUEST_ID_REUSED");
  await first.settle(delivered(5));
  await until(() => billing.items.size === 1);
  const charged = await refusal(before(open, claimed));
  assert.equal(charged.reason, "REQUEST_ALREADY_CHARGED");
  assert.deepEqual(charged.metadata, {
    transaction_id: `txn_${first.attemptId.toString("hex")}`,
    cost: "0.000000005",
  });
  const dear = thousand({
    claimSha256: Buffer.alloc(32, 3),
    requestId: "req-dear",
    worstCaseNanos: 9_000_000n,
    minimumNanos: 9_000_000n,
  });
  assert.equal((await refusal(before(open, dear))).reason, "INSUFFICIENT_BALANCE");
  await until(() => !billing.claims.has("acc req-dear"));
  await open.close(soon());
  assertConserved(billing);
});

test("an absurd usage is put aside at what was reserved, and costs nothing until someone has judged it", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 10_000_000n);
  const open = await opened(t, billing);
  const hold = await before(open);
  const usage = { ...delivered(0).usage, outputTokens: -3, inputTokens: Number.POSITIVE_INFINITY };
  const receipt = await hold.settle(delivered(1, { usage, isAbsurd: true }));
  assert.equal(receipt.costNanos, 0n);
  const next = await before(open);
  await next.settle(delivered(1));
  await until(() => billing.items.size === 1);
  assert.deepEqual(open.settlement.figures.items, [0, 1, 0, 0, 1, 0]);
  await open.close(soon());
});

test("at shutdown calls in flight end and are settled, new ones and those that wait are refused", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 10_000_000n);
  const open = await opened(t, billing);
  const hold = await before(open);
  const closing = open.close(soon());
  assert.throws(() => open.interceptor.beforeRequest(caller, thousand()), {
    reason: "SHUTTING_DOWN",
  });
  await hold.settle(delivered(10));
  await open.clock.advance(1000);
  await closing;
  assert.equal(billing.account("acc").spent, 20_000n);
  assert.equal(billing.account("acc").held, 0n);
  assert.equal(
    [...billing.leases.values()].some((lease) => lease.isOpen),
    false,
  );
});

/** Lets the process work until the condition holds; a test that waits in vain fails by the runner's own time limit. */
async function until(isMet: () => boolean): Promise<void> {
  while (!isMet()) await new Promise((resolve) => setTimeout(resolve, 2));
}

test("a journal near its bound refuses new calls with JOURNAL_FULL, and what it holds is settled", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", 100_000_000n);
  const small = smallJournal(journalDirectory(t), { bytesMax: 64 * 1024 });
  const open = await opened(t, billing, { journal: small });
  const first = await before(open, thousand({ worstCaseNanos: 90_000_000n }));
  await first.settle(delivered(1));
  billing.isDown = true;
  billing.dropStreams();
  let calls = 0;
  let full: AppError | undefined;
  while (full === undefined && calls < 1000) {
    try {
      const hold = open.interceptor.beforeRequest(caller, thousand({ worstCaseNanos: 1000n }));
      assert.ok(!(hold instanceof Promise), "the lease covers it");
      await hold.settle(delivered(0));
      calls++;
    } catch (error) {
      assert.ok(error instanceof AppError);
      full = error;
    }
  }
  assert.equal(full?.reason, "JOURNAL_FULL");
  assert.ok((full.retryAfterMs ?? 0) > 0, "says when to come back");
  billing.isDown = false;
  await open.clock.advance(5000);
  await until(() => open.settlement.isConnected);
  await open.close(soon());
  assert.equal(billing.items.size, calls + 1, "what was admitted is settled");
  assertConserved(billing);
});
