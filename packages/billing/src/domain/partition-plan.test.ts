import assert from "node:assert/strict";
import { test } from "node:test";
import { type PartitionPlan, planPartitions } from "./partition-plan.ts";
import { dayMs, oldestKeptDayMs, uuidFloorHex } from "./usage-day.ts";

const today = 20_000;
const plan = (input: { days: number[]; overflow?: number; retention?: number; nowMs?: number }) => {
  const { addDaysMs, dropDaysMs }: PartitionPlan = planPartitions({
    existingDaysMs: input.days.map((day) => day * dayMs),
    overflowDayMs: input.overflow === undefined ? undefined : input.overflow * dayMs,
    nowMs: input.nowMs ?? today * dayMs + 12 * 3_600_000,
    retentionDays: input.retention ?? 90,
  });
  return {
    add: addDaysMs.map((ms) => ms / dayMs - today),
    drop: dropDaysMs.map((ms) => ms / dayMs - today),
  };
};
const days = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => today + from + index);

// biome-ignore format: a decision table is read by column
const cases: [name: string, input: Parameters<typeof plan>[0], want: ReturnType<typeof plan>][] = [
  ["makes today and three days in a new table",           { days: [] },                               { add: [0, 1, 2, 3], drop: [] }],
  ["gives rows found in pmax their own days",             { days: [], overflow: today - 2 },          { add: [-2, -1, 0, 1, 2, 3], drop: [] }],
  ["does nothing when all is there",                      { days: days(-5, 3) },                      { add: [], drop: [] }],
  ["adds the day that came into sight",                   { days: days(-5, 2) },                      { add: [3], drop: [] }],
  ["splits pmax behind the newest day after an outage",   { days: days(-9, -4), overflow: today - 2 }, { add: [-2, -1, 0, 1, 2, 3], drop: [] }],
  ["skips days of an outage that left no rows",           { days: days(-9, -4) },                     { add: [0, 1, 2, 3], drop: [] }],
  ["adds nothing for rows of days that exist",            { days: days(-5, 3), overflow: today + 30 }, { add: [], drop: [] }],
  ["keeps the retention and a day more",                  { days: days(-91, 3) },                     { add: [], drop: [] }],
  ["drops what is older",                                 { days: days(-92, 3) },                     { add: [], drop: [-92] }],
  ["drops few days at once",                              { days: days(-120, 3) },                    { add: [], drop: [-120, -119] }],
  ["keeps everything when told so",                       { days: days(-500, 3), retention: 0 },      { add: [], drop: [] }],
  ["leaves the table a day even when the clock is years ahead", { days: days(0, 0), nowMs: (today + 5_000) * dayMs }, { add: [5_000, 5_001, 5_002, 5_003], drop: [] }],
  ["makes a bounded number of days for ancient rows",     { days: [], overflow: 0, retention: 0 },    { add: days(-400, 3).map((day) => day - today), drop: [] }],
];

for (const [name, input, want] of cases) {
  test(name, () => assert.deepEqual(plan(input), want));
}

test("sorts an id made at midnight into the day that begins", () => {
  assert.equal(
    uuidFloorHex(today * dayMs),
    (today * dayMs).toString(16).padStart(12, "0").padEnd(32, "0"),
  );
  assert.equal(uuidFloorHex(today * dayMs).length, 32);
});

test("keeps whole days, counted from midnight", () => {
  assert.equal(oldestKeptDayMs(today * dayMs + 1, 90), (today - 90) * dayMs);
  assert.equal(oldestKeptDayMs(today * dayMs - 1, 90), (today - 91) * dayMs);
  assert.equal(oldestKeptDayMs(today * dayMs, 0), 0);
});
