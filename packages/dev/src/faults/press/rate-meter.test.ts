import assert from "node:assert/strict";
import { test } from "node:test";
import { rateMeter } from "./rate-meter.ts";

function metered(readings: readonly (readonly [atMs: number, count: number])[]) {
  let nowMs = 0;
  const meter = rateMeter(() => nowMs);
  for (const [atMs, count] of readings) {
    nowMs = atMs;
    meter.note(count);
  }
  return { peak: meter.peak, mean: meter.mean };
}

// biome-ignore format: a table is read by column
const cases: [name: string, readings: [number, number][], want: { peak: number; mean: number }][] = [
  ["knows nothing of no notes",                    [],                                                          { peak: 0, mean: 0 }],
  ["does not take less than a second for one",     [[0, 1], [100, 500]],                                        { peak: 0, mean: 4_990 }],
  ["finds the fastest second",                     [[0, 0], [500, 10], [1_000, 10], [1_500, 900], [2_000, 910]], { peak: 900, mean: 600 }],
  ["counts from the first call to the last",       [[0, 0], [2_000, 1], [3_000, 101], [9_000, 101]],            { peak: 100, mean: 100 }],
];

for (const [name, readings, want] of cases) {
  test(name, () => assert.deepEqual(metered(readings), want));
}
