import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClaimAnswer, decideClaim, type StoredClaim } from "./request-claim.ts";

const claim = { accountId: "a", requestId: "r", sha256: "aa", attemptId: "1" };
const stored = (more: Partial<StoredClaim>): StoredClaim => ({
  ...claim,
  attemptId: "0",
  state: "IN_FLIGHT",
  transactionId: "",
  cost: 0n,
  isOrphan: false,
  ...more,
});
const charged = { state: "CHARGED", transactionId: "0", cost: 7n } as const;

// biome-ignore format: a decision table is read by column
const cases: [name: string, stored: StoredClaim, want: ClaimAnswer][] = [
  ["goes on with what it has just claimed",     stored({ attemptId: "1" }),                  { kind: "claimed", mustTakeOver: false }],
  ["refuses another body",                      stored({ sha256: "bb" }),                    { kind: "refuse", reason: "REQUEST_ID_REUSED" }],
  ["refuses another body of a charged request", stored({ ...charged, sha256: "bb" }),        { kind: "refuse", reason: "REQUEST_ID_REUSED" }],
  ["refuses while another attempt is in flight", stored({}),                                 { kind: "refuse", reason: "REQUEST_IN_PROGRESS" }],
  ["takes over from an attempt that died",      stored({ isOrphan: true }),                  { kind: "claimed", mustTakeOver: true }],
  ["takes over from one that cost nothing",     stored({ state: "VOID" }),                   { kind: "claimed", mustTakeOver: true }],
  ["takes its own again after it cost nothing", stored({ state: "VOID", attemptId: "1" }),   { kind: "claimed", mustTakeOver: true }],
  ["never runs what was charged again",         stored(charged), { kind: "refuse", reason: "REQUEST_ALREADY_CHARGED", transactionId: "0", cost: 7n }],
];

for (const [name, at, want] of cases) {
  test(name, () => assert.deepEqual(decideClaim(claim, at), want));
}
