import assert from "node:assert/strict";
import { test } from "node:test";
import { type DisputeTold, nextDisputeStep } from "./dispute.ts";

// biome-ignore format: a decision table is read by column
const cases: [name: string, isWithdrawn: boolean, isReinstated: boolean, told: DisputeTold, want: string][] = [
  ["an inquiry takes nothing",                       false, false, "NOTHING",  "REST"],
  ["withdrawn money is taken",                       true,  false, "NOTHING",  "REVERSE"],
  ["won before Billing was told takes nothing",      true,  true,  "NOTHING",  "REST"],
  ["a call whose answer was lost is made again",     true,  false, "TAKING",   "REVERSE"],
  ["won after a call whose answer was lost is given back", true, true, "TAKING", "RETURN"],
  ["taken money rests while nobody has won",         true,  false, "REVERSED", "REST"],
  ["won money is given back",                        true,  true,  "REVERSED", "RETURN"],
  ["what was given back stays so",                   true,  true,  "RETURNED", "REST"],
];

for (const [name, isWithdrawn, isReinstated, told, want] of cases) {
  test(name, () => {
    assert.equal(nextDisputeStep({ isWithdrawn, isReinstated, told }), want);
  });
}
