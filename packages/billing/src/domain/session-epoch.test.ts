import assert from "node:assert/strict";
import { test } from "node:test";
import { decideEpoch, type EpochDecision, type GatewaySession } from "./session-epoch.ts";

const boot = (byte: number) => new Uint8Array(16).fill(byte);
const stored: GatewaySession = {
  bootId: boot(1),
  epoch: 7n,
  renewals: 3n,
  drainedEpoch: 6n,
  suspectEpoch: 0n,
};

// biome-ignore format: a decision table is read by column
const cases: [name: string, stored: GatewaySession | undefined, bootId: Uint8Array, want: EpochDecision][] = [
  ["starts an unknown gateway at epoch 1",             undefined,                       boot(1), { kind: "create", epoch: 1n }],
  ["lets a boot that lost its connection go on",       stored,                          boot(1), { kind: "reconnect", epoch: 7n }],
  ["lets it go on when only older epochs are suspect", { ...stored, suspectEpoch: 6n }, boot(1), { kind: "reconnect", epoch: 7n }],
  ["gives a boot that was given up a new epoch",       { ...stored, suspectEpoch: 7n }, boot(1), { kind: "take-over", epoch: 8n }],
  ["gives another boot a new epoch",                   stored,                          boot(2), { kind: "take-over", epoch: 8n }],
  ["gives another boot one epoch for a lost one",      { ...stored, suspectEpoch: 7n }, boot(2), { kind: "take-over", epoch: 8n }],
  ["does not take a prefix for the boot",              stored,                          boot(1).subarray(1), { kind: "take-over", epoch: 8n }],
];

for (const [name, session, bootId, want] of cases) {
  test(name, () => assert.deepEqual(decideEpoch(session, bootId), want));
}
