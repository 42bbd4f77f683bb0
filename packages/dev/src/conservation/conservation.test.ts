import assert from "node:assert/strict";
import { test } from "node:test";
import { charge } from "@farebox/pricing/charge";
import { compilePrice } from "@farebox/pricing/compiled-price";
import { parsePrice } from "@farebox/pricing/price";
import { makeSnapshot } from "@farebox/pricing/snapshot";
import { noUsage } from "@farebox/pricing/usage";
import fc from "fast-check";
import type { Attempt } from "../upstream/attempt-log.ts";
import { noDemoUsage } from "../upstream/demo-usage.ts";
import { type BilledUsage, bucketNames, exactCost } from "./exact-cost.ts";
import { judgeAccount, judgeLease } from "./judge-accounts.ts";
import { judgeCosts, matchAttempts } from "./judge-charges.ts";
import type { AccountBooks, LeaseBooks } from "./read-accounts.ts";
import type { ChargedAttempt } from "./read-charges.ts";

// The check itself is checked: it must notice a single nano.

const nothing: BilledUsage = {
  ...{ inputTokens: 0n, cacheReadTokens: 0n, cacheWriteTokens: 0n, cacheWrite1hTokens: 0n },
  ...{ audioInputTokens: 0n, outputTokens: 0n, reasoningTokens: 0n, audioOutputTokens: 0n },
  ...{ images: 0n, requests: 0n },
};

const terms = {
  rates: {
    ...{ input: "0.15", output: "0.6", cacheRead: "0.075", cacheWrite: "0.15" },
    ...{ cacheWrite1h: "0.15", reasoning: "0.6", audioInput: "0.15", audioOutput: "0.6" },
    ...{ image: null, request: "0.0000000011" },
  },
  tiers: [],
  markup: "1",
  exchangeRate: "1",
};

test("a cost is the exact sum, rounded up once", () => {
  // 3 × 150 + 2 × 600 nanos, and 1.1 nanos for the call.
  const usage = { ...nothing, inputTokens: 3n, outputTokens: 2n, requests: 1n };
  assert.equal(exactCost(terms, usage), 1_652n);
  assert.equal(exactCost({ ...terms, markup: "1.5" }, usage), 2_477n);
  assert.equal(exactCost(terms, nothing), 0n);
});

test("a tier's rates count for the whole of a prompt above its threshold, cache included", () => {
  const tiered = {
    ...terms,
    tiers: [{ aboveInputTokens: 10, rates: { ...terms.rates, input: "1", cacheRead: "1" } }],
  };
  assert.equal(exactCost(tiered, { ...nothing, inputTokens: 6n, cacheReadTokens: 4n }), 1_200n);
  assert.equal(exactCost(tiered, { ...nothing, inputTokens: 7n, cacheReadTokens: 4n }), 11_000n);
});

test("two engines that share nothing come to the same cost", () => {
  const rate = fc.integer({ min: 0, max: 900_000_000 }).map((n) => (n / 1e4).toFixed(4));
  const count = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 3_000_000 }));
  const run = fc.property(
    fc.record({
      input: rate,
      output: rate,
      cache_read: rate,
      cache_write: rate,
      reasoning: rate,
      request: rate,
    }),
    fc.record({ input: rate, above_input_tokens: fc.integer({ min: 1, max: 2_000_000 }) }),
    fc.record({
      inputTokens: count,
      outputTokens: count,
      cacheReadTokens: count,
      reasoningTokens: count,
    }),
    fc.integer({ min: 0, max: 9_999 }).map((n) => (n / 1e3).toFixed(3)),
    (rates, tier, tokens, markup) => {
      const price = parsePrice({ provider: "p", model: "m", ...rates, tiers: [tier] });
      const snapshot = makeSnapshot(price, { markup, exchangeRate: "1", accountCurrency: "USD" });
      const usage = { ...noUsage, ...tokens, requests: 1 };
      const counts = Object.entries(usage).map(([bucket, n]) => [bucket, BigInt(n)]);
      const expected = exactCost(snapshot, { ...nothing, ...Object.fromEntries(counts) });
      assert.equal(charge(compilePrice(snapshot), usage), expected);
    },
  );
  fc.assert(run, { numRuns: 300 });
});

const soundAccount: AccountBooks = {
  ...{ accountId: "acc", available: 50n, held: 30n, spent: 20n, credited: 100n, receivable: 0n },
  ...{ openLeases: 1n, leaseCount: 1n, leaseHolding: 23n, deadLetterHeld: 5n, refundHeld: 2n },
  ...{ rechargeNet: 40n, ledgerRecharged: 40n },
  ...{ ledgerSum: 80n, ledgerUsage: -20n, transactions: 3n, transactionCost: 20n },
  ...{ hourlyAttempts: 3n, hourlyCost: 20n },
};

test("sound books are found sound, and one nano astray in any place is noticed", () => {
  assert.deepEqual(judgeAccount(soundAccount), []);
  for (const [place, amount] of Object.entries(soundAccount)) {
    if (typeof amount !== "bigint") continue;
    assert.notDeepEqual(judgeAccount({ ...soundAccount, [place]: amount + 1n }), [], place);
  }
});

test("a lease whose counters are not its transactions, or whose end does not add up, is noticed", () => {
  const lease: LeaseBooks = {
    ...{ accountId: "acc", leaseId: "1", state: "CLOSED", granted: 100n },
    ...{ settled: 60n, released: 30n, deadLettered: 10n, taken: 60n },
  };
  assert.deepEqual(judgeLease(lease), []);
  assert.deepEqual(judgeLease({ ...lease, state: "OPEN", released: 0n }), []);
  assert.equal(judgeLease({ ...lease, taken: 59n }).length, 1);
  assert.equal(judgeLease({ ...lease, released: 29n }).length, 1);
  assert.equal(judgeLease({ ...lease, state: "OPEN", released: 31n }).length, 1);
});

test("a charge that is a nano off its usage's cost is noticed", () => {
  const usage = { ...nothing, inputTokens: 3n, outputTokens: 2n, requests: 1n };
  const group = { terms, model: "m", usage, source: "PROVIDER", isFree: false, count: 2n } as const;
  assert.deepEqual(judgeCosts([{ ...group, leastCost: 1_652n, mostCost: 1_652n }]), []);
  assert.equal(judgeCosts([{ ...group, leastCost: 1_652n, mostCost: 1_653n }]).length, 1);
  assert.equal(judgeCosts([{ ...group, isFree: true, leastCost: 0n, mostCost: 0n }]).length, 0);
  const unpriced = { ...group, terms: undefined, leastCost: 0n, mostCost: 0n };
  assert.equal(judgeCosts([unpriced]).length, 1);
});

test("lost, doubled, invented and altered charges are told apart", () => {
  const attempt = (id: string): Attempt => ({
    ...{ seq: 1, id, timeMs: 0, dialect: "openai", model: "m", scenario: "ok", isStream: false },
    ...{ status: 200, outcome: "answered", clientAborted: false, usageSent: "full" },
    ...{ usage: { ...noDemoUsage, inputTokens: 3 }, bytes: 1, chunks: 1 },
  });
  const charged = (upstreamId: string, inputTokens = 3n): ChargedAttempt => ({
    ...{ transactionId: "t", accountId: "acc", requestId: "r", upstreamId, model: "m" },
    ...{ usage: { ...nothing, inputTokens }, source: "PROVIDER", state: "SUCCEEDED" },
    ...{ cost: 450n, isFree: false, isLate: false },
  });
  const sound = matchAttempts([attempt("a"), attempt("b")], [charged("a"), charged("b")]);
  assert.deepEqual(sound, { faults: [], inFull: 2, interrupted: 0, unnamed: [] });
  const lost = matchAttempts([attempt("a"), attempt("b")], [charged("a")]);
  assert.deepEqual([lost.faults, lost.unnamed.map((it) => it.id)], [[], ["b"]]);
  assert.equal(matchAttempts([attempt("a")], [charged("a"), charged("a")]).faults.length, 1);
  assert.equal(matchAttempts([], [charged("a")]).faults.length, 1);
  assert.equal(matchAttempts([attempt("a")], [charged("a", 4n)]).faults.length, 1);
  assert.equal(bucketNames.length, Object.keys(nothing).length);
});
