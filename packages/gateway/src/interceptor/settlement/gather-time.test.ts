import assert from "node:assert/strict";
import test from "node:test";
import { gatherTimeMs } from "./gather-time.ts";

/** Where the time settles at a steady rate, from wherever it was. */
function settled(callsPerMs: number, fromMs: number): number {
  let waitMs = fromMs;
  for (let turn = 0; turn < 1000; turn++) waitMs = gatherTimeMs(Math.floor(waitMs * callsPerMs));
  return waitMs;
}

// biome-ignore format: a decision table is read by column
const cases: [name: string, callsPerMs: number, waitMs: number][] = [
  ["nothing before: a lone call waits 5 ms",           0,    5],
  ["hundreds a second: as good as at once",            0.9,  5],
  ["above a thousand a second: as large as may be",    1.5,  1000],
  ["tens of thousands a second: the same",             30,   1000],
];

for (const [name, callsPerMs, waitMs] of cases) {
  test(`gathering, ${name}`, () => {
    assert.equal(settled(callsPerMs, 5), waitMs);
    assert.equal(settled(callsPerMs, 1000), waitMs);
  });
}
