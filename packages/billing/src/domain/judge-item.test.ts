import assert from "node:assert/strict";
import { test } from "node:test";
import { compilePrice } from "@farebox/pricing/compiled-price";
import { parsePrice } from "@farebox/pricing/price";
import { makeSnapshot } from "@farebox/pricing/snapshot";
import { noUsage } from "@farebox/pricing/usage";
import { type ItemEvidence, type ItemFault, judgeItem } from "./judge-item.ts";
import type { DecodedItem } from "./usage-item.ts";

const nowMs = Date.UTC(2026, 10, 21, 12);
const price = compilePrice(
  makeSnapshot(
    parsePrice({ provider: "p", model: "m", input: "1", output: "2", context_tokens: 1000 }),
    { exchangeRate: "1", accountCurrency: "USD" },
  ),
);
const evidence: ItemEvidence = {
  account: { tenantId: "", currencyCode: "USD" },
  price,
  nowMs,
};

/** A thousand prompt tokens at 1 USD a million: 1,000,000 nanos. */
const sound: DecodedItem = {
  id: "0199c82cc00070008000000000000001",
  accountId: "acc_1",
  leaseId: "",
  requestId: "req_1",
  attempt: 1,
  service: "llm",
  provider: "p",
  model: "m",
  apiKeyId: "",
  userId: "",
  usage: { ...noUsage, inputTokens: 1000 },
  usageSource: 1,
  state: 1,
  httpStatus: 200,
  costNanos: 1_000_000n,
  priceSnapshotId: "0123456789abcdef0123456789abcdef",
  providerCostNanos: undefined,
  freeUnits: 0,
  upstreamId: "",
  startTimeMs: nowMs,
  latencyMs: 1,
  timeToFirstTokenMs: undefined,
  tags: [],
  errorCode: 0,
  claimed: false,
  encoded: Buffer.alloc(0),
};

// biome-ignore format: a decision table is read by column
const cases: [name: string, item: Partial<DecodedItem>, evidence: Partial<ItemEvidence>, want: ItemFault | undefined][] = [
  ["charges what the usage costs",                     {},                                             {},                                                   undefined],
  ["charges nothing for nothing, without a price",     { usage: noUsage, costNanos: 0n, priceSnapshotId: "" }, { price: undefined },                         undefined],
  ["puts aside what names no account we know",         {},                                             { account: undefined },                               { reason: "ACCOUNT_NOT_FOUND", field: "account_id" }],
  ["puts aside what names a price never issued",       {},                                             { price: undefined },                                 { reason: "PRICE_SNAPSHOT_UNKNOWN", field: "price_snapshot_id" }],
  ["puts aside a price of another currency",           {},                                             { account: { tenantId: "", currencyCode: "EUR" } },   { reason: "CURRENCY_MISMATCH", field: "price_snapshot_id" }],
  ["puts aside a cost that is not the usage's",        { costNanos: 999_999n },                        {},                                                   { reason: "COST_MISMATCH", field: "cost_nanos" }],
  ["puts aside usage that no model can produce",       { usage: { ...noUsage, inputTokens: 4001 } },   {},                                                   { reason: "USAGE_ABSURD", field: "usage" }],
  ["puts aside what the gateway found absurd itself",  { errorCode: 10019 },                           {},                                                   { reason: "USAGE_ABSURD", field: "usage" }],
  ["puts aside a negative count, naming it",           { costNanos: -1n },                             {},                                                   { reason: "INVALID_ARGUMENT", field: "cost_nanos" }],
];

for (const [name, change, others, want] of cases) {
  test(name, () => {
    assert.deepEqual(judgeItem({ ...sound, ...change }, { ...evidence, ...others }), want);
  });
}
