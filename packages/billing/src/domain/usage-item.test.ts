import assert from "node:assert/strict";
import { test } from "node:test";
import { noUsage } from "@farebox/pricing/usage";
import { checkItem, countMax, type DecodedItem, futureMsMax } from "./usage-item.ts";

const nowMs = 1_800_000_000_000;
const idAt = (ms: number) => `${ms.toString(16).padStart(12, "0")}7${"0".repeat(19)}`;

const sound: DecodedItem = {
  id: idAt(nowMs),
  accountId: "acc_1",
  leaseId: "ab".repeat(16),
  requestId: "req 1",
  attempt: 1,
  service: "llm",
  provider: "openai",
  model: "gpt-4o-mini",
  apiKeyId: "key_1",
  userId: "ann",
  usage: { ...noUsage, inputTokens: 1, requests: 1 },
  usageSource: 1,
  state: 1,
  httpStatus: 200,
  costNanos: 1n,
  priceSnapshotId: "cd".repeat(16),
  providerCostNanos: undefined,
  freeUnits: 0,
  upstreamId: "chatcmpl-1",
  startTimeMs: nowMs,
  latencyMs: 5,
  timeToFirstTokenMs: undefined,
  tags: ["team=a"],
  errorCode: 0,
  claimed: false,
  encoded: new Uint8Array(),
};
const usage = (bucket: keyof DecodedItem["usage"], count: number) => ({
  usage: { ...sound.usage, [bucket]: count },
});
const nothing = { usage: noUsage, priceSnapshotId: "" };

// biome-ignore format: a table is read by column
const cases: [name: string, change: Partial<DecodedItem>, field: string | undefined][] = [
  ["sound",                              {},                                                undefined],
  ["at every upper bound",               { requestId: "x".repeat(128), model: "m".repeat(256), userId: "u".repeat(128), tags: new Array(16).fill("x".repeat(128)) }, undefined],
  ["without a lease, key, user, tags",   { leaseId: "", apiKeyId: "", userId: "", tags: [], upstreamId: "" }, undefined],
  ["of nothing, without a price",        nothing,                                           undefined],
  ["of something, without a price",      { priceSnapshotId: "" },                           "price_snapshot_id"],
  ["with a price of 15 bytes",           { priceSnapshotId: "cd".repeat(15) },              "price_snapshot_id"],
  ["without an id",                      { id: "" },                                        "id"],
  ["with an id of another version",      { id: `${idAt(nowMs).slice(0, 12)}4${"0".repeat(19)}` }, "id"],
  ["with an id of tomorrow",             { id: idAt(nowMs + futureMsMax) },                 undefined],
  ["with an id of the day after",        { id: idAt(nowMs + futureMsMax + 1) },             "id"],
  ["with an id of long ago",             { id: idAt(0) },                                   undefined],
  ["without an account",                 { accountId: "" },                                 "account_id"],
  ["with an account of other letters",   { accountId: "acc_ä" },                            "account_id"],
  ["with an account too long",           { accountId: "a".repeat(65) },                     "account_id"],
  ["with a lease of 3 bytes",            { leaseId: "abcdef" },                             "lease_id"],
  ["without a request id",               { requestId: "" },                                 "request_id"],
  ["with a request id of two lines",     { requestId: "a\nb" },                             "request_id"],
  ["with a request id too long",         { requestId: "x".repeat(129) },                    "request_id"],
  ["of a negative attempt",              { attempt: -1 },                                   "attempt"],
  ["of a service in capitals",           { service: "LLM" },                                "service"],
  ["of no provider",                     { provider: "" },                                  "provider"],
  ["of a provider of other letters",     { provider: "深度求索" },                            "provider"],
  ["of a model of other letters",        { model: "深度求索" },                               undefined],
  ["of no model",                        { model: "" },                                     "model"],
  ["of a model too long",                { model: "m".repeat(257) },                        "model"],
  ["with a key too long",                { apiKeyId: "k".repeat(65) },                      "api_key_id"],
  ["with a user too long",               { userId: "u".repeat(129) },                       "user_id"],
  ["of a negative count",                usage("outputTokens", -1),                         "usage.output_tokens"],
  ["of the largest count",               usage("reasoningTokens", countMax),                undefined],
  ["of a larger count",                  usage("cacheWrite1hTokens", countMax + 1),         "usage.cache_write_1h_tokens"],
  ["of a negative cost",                 { costNanos: -1n },                                "cost_nanos"],
  ["of the largest cost",                { costNanos: 9_000_000_000_000_000_000n },         undefined],
  ["of a larger cost",                   { costNanos: 9_000_000_000_000_000_001n },         "cost_nanos"],
  ["of a negative cost by the provider", { providerCostNanos: -1n },                        "provider_cost_nanos"],
  ["of negative free units",             { freeUnits: -1 },                                 "free_units"],
  ["of free units without a lease",      { freeUnits: 1, leaseId: "" },                     "free_units"],
  ["of an unknown source",               { usageSource: 5 },                                "usage_source"],
  ["of a negative state",                { state: -1 },                                     "state"],
  ["of an impossible status",            { httpStatus: 1000 },                              "http_status"],
  ["with an upstream id too long",       { upstreamId: "u".repeat(129) },                   "upstream_id"],
  ["begun before 1970",                  { startTimeMs: -1 },                               "start_time_ms"],
  ["begun the day after tomorrow",       { startTimeMs: nowMs + futureMsMax + 1 },          "start_time_ms"],
  ["of negative latency",                { latencyMs: -1 },                                 "latency_ms"],
  ["of a negative first token",          { timeToFirstTokenMs: -1 },                        "time_to_first_token_ms"],
  ["with 17 tags",                       { tags: new Array(17).fill("a=b") },               "tags"],
  ["with a tag too long",                { tags: ["x".repeat(129)] },                       "tags"],
  ["with a negative error code",         { errorCode: -1 },                                 "error_code"],
];

for (const [name, change, field] of cases) {
  test(`an item ${name} ${field === undefined ? "is sound" : `is faulty in ${field}`}`, () => {
    assert.equal(checkItem({ ...sound, ...change }, { nowMs }), field);
  });
}
