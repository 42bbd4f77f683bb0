import assert from "node:assert/strict";
import { test } from "node:test";
import { createSteadyWatch, type Sighting } from "./steady-watch.ts";

type Look = readonly [monotonicMs: number, mark: string | undefined];

/** Looks at "a" with the marks at the times, and tells the steady time after the last look. */
function steadyAfter(looks: readonly Look[]) {
  const watch = createSteadyWatch(10);
  let steady: number | undefined;
  for (const [monotonicMs, mark] of looks) {
    const sightings: Sighting[] = mark === undefined ? [] : [["a", mark]];
    steady = watch(monotonicMs, sightings).get("a");
  }
  return steady;
}

// biome-ignore format: a decision table is read by column
const cases: [name: string, looks: readonly Look[], want: number | undefined][] = [
  ["begins at nothing",                          [[5, "x"]],                                  0],
  ["counts while the mark stays",                [[0, "x"], [5, "x"], [10, "x"]],             10],
  ["begins anew when the mark changes",          [[0, "x"], [5, "x"], [10, "y"]],             0],
  ["counts on after a change",                   [[0, "x"], [5, "y"], [10, "y"]],             5],
  ["counts a long pause as the longest gap",     [[0, "x"], [5, "x"], [3_600_000, "x"]],      15],
  ["forgets what is not sighted",                [[0, "x"], [5, undefined], [10, "x"]],       0],
  ["says nothing about what is not sighted",     [[0, "x"], [5, undefined]],                  undefined],
];

for (const [name, looks, want] of cases) {
  test(name, () => assert.equal(steadyAfter(looks), want));
}

test("keeps the things that it watches apart", () => {
  const watch = createSteadyWatch(100);
  watch(0, [
    ["a", "1"],
    ["b", "1"],
  ]);
  assert.deepEqual(
    [
      ...watch(7, [
        ["a", "1"],
        ["b", "2"],
      ]),
    ],
    [
      ["a", 7],
      ["b", 0],
    ],
  );
});
