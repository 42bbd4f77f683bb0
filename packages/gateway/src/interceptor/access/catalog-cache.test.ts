import assert from "node:assert/strict";
import test from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createLogger } from "@farebox/kit/logger";
import { fakeClock } from "@farebox/kit/testing/clock";
import { charge } from "@farebox/pricing/charge";
import { parsePrice } from "@farebox/pricing/price";
import { canonicalSnapshot, makeSnapshot } from "@farebox/pricing/snapshot";
import { noUsage } from "@farebox/pricing/usage";
import {
  type CatalogEntrySchema,
  WatchCatalogResponseSchema,
} from "@farebox/proto/farebox/billing/v1/catalog_service";
import { CatalogCache } from "./catalog-cache.ts";

type Entry = MessageInitShape<typeof CatalogEntrySchema>;

function entryOf(model: string, input: string, effectiveFromMs = 0n): Entry {
  const terms = { exchangeRate: "1", accountCurrency: "USD" };
  const snapshot = makeSnapshot(parsePrice({ provider: "p", model, input, output: "1" }), terms);
  return {
    provider: "p",
    model,
    accountCurrency: "USD",
    effectiveFromMs,
    priceSnapshotId: Buffer.alloc(16, Number(input)),
    priceSnapshotJson: canonicalSnapshot(snapshot),
  };
}

function opened() {
  const clock = fakeClock();
  const state = { isReachable: true, hasLease: false };
  const cache = new CatalogCache({
    clock,
    log: createLogger({ name: "test", level: "silent" }),
    isReachable: () => state.isReachable,
    hasLease: () => state.hasLease,
  });
  const take = (message: MessageInitShape<typeof WatchCatalogResponseSchema>) =>
    cache.take(create(WatchCatalogResponseSchema, message));
  const find = (model: string, atMs = 1000) =>
    cache.find({ accountId: "acc", provider: "p", model, currency: "USD", atMs });
  /** Nanos that a million prompt tokens cost, in units of the currency. */
  const rate = (model: string, atMs?: number) =>
    charge(find(model, atMs).price, { ...noUsage, inputTokens: 1_000_000 }) / 1_000_000_000n;
  return { clock, state, cache, take, find, rate };
}

test("a price is found only once the whole catalogue has arrived, compiled once", () => {
  const { take, find, rate } = opened();
  take({ reset: true, entries: [entryOf("m", "3")] });
  assert.throws(() => find("m"), { reason: "BILLING_UNAVAILABLE" });
  take({ entries: [entryOf("n", "4")], complete: true });
  assert.equal(rate("m"), 3n);
  assert.equal(rate("n"), 4n);
  assert.equal(find("m"), find("m"));
  assert.throws(() => find("other"), {
    reason: "MODEL_NOT_PRICED",
    metadata: { provider: "p", model: "other" },
  });
});

test("the newest price that is in force when the call arrives applies", () => {
  const { take, find, rate } = opened();
  take({ reset: true, entries: [entryOf("m", "1", 500n)], complete: true });
  take({ entries: [entryOf("m", "3", 2000n), entryOf("m", "2", 1000n)] });
  assert.throws(() => find("m", 499), { reason: "MODEL_NOT_PRICED" });
  assert.deepEqual([rate("m", 500), rate("m", 999), rate("m", 1000)], [1n, 1n, 2n]);
  assert.deepEqual([rate("m", 1999), rate("m", 2000)], [2n, 3n]);
  take({ entries: [entryOf("m", "9", 1000n)] });
  assert.deepEqual([rate("m", 1000), rate("m", 2000)], [9n, 3n], "replaced, not added");
});

test("a catalogue that is sent again takes the place of the old one at once, when it is whole", () => {
  const { take, find, rate } = opened();
  take({ reset: true, entries: [entryOf("m", "1"), entryOf("gone", "1")], complete: true });
  take({ reset: true, entries: [entryOf("m", "2")] });
  assert.equal(rate("m"), 1n);
  take({ entries: [], complete: true });
  assert.equal(rate("m"), 2n);
  assert.throws(() => find("gone"), { reason: "MODEL_NOT_PRICED" });
});

// biome-ignore format: a decision table is read by column
const ages: [name: string, ageMs: number, isReachable: boolean, hasLease: boolean, isUsable: boolean][] = [
  ["a copy that is up to date is used",                             60_000, true,  false, true],
  ["an old copy refuses while Billing answers",                     60_001, true,  true,  false],
  ["an old copy serves an open lease while Billing does not answer", 60_001, false, true,  true],
  ["an old copy serves nobody else",                                60_001, false, false, false],
];

for (const [name, ageMs, isReachable, hasLease, isUsable] of ages) {
  test(name, async () => {
    const { take, find, clock, state } = opened();
    take({ reset: true, entries: [entryOf("m", "1")], complete: true });
    await clock.advance(ageMs);
    Object.assign(state, { isReachable, hasLease });
    if (isUsable) assert.ok(find("m"));
    else assert.throws(() => find("m"), { reason: "BILLING_UNAVAILABLE" });
  });
}
