import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isStrictLeaseOver } from "./strict-expiry.ts";

const hourMs = 3_600_000;

// biome-ignore format: a decision table is read by column
const cases: [name: string, validForMs: number, seenMs: number, seenExpiredMs: number, want: boolean][] = [
  ["keeps a lease that is not expired",                          30_000,       10_000, 0,       false],
  ["keeps a lease that has only just expired",                   30_000,       30_000, 0,       false],
  ["keeps a lease that a clock an hour ahead calls expired",     30_000,       16_000, 15_000,  false],
  ["ends a lease that stayed expired for half its validity",     30_000,       45_000, 15_000,  true],
  ["ends a lease although a clock an hour behind calls it open", 30_000,       45_000, 0,       true],
  ["asks for an hour of proof from a long lease",                48 * hourMs,  hourMs, hourMs - 1, false],
  ["asks for no more than an hour",                              48 * hourMs,  hourMs, hourMs,  true],
];

for (const [name, validForMs, seenMs, seenExpiredMs, want] of cases) {
  test(name, () => assert.equal(isStrictLeaseOver({ validForMs, seenMs, seenExpiredMs }), want));
}

test("ends a lease watched from its grant between one and two validities, wherever the wall clock jumps", () => {
  const minute = fc.integer({ min: 0, max: 59 });
  fc.assert(
    fc.property(
      fc.integer({ min: 10, max: 60 }),
      minute,
      fc.integer({ min: -60, max: 60 }),
      (valid, at, jump) => {
        let seenExpired = 0;
        for (let age = 0; ; age += 1) {
          const wall = age >= at ? age + jump : age;
          seenExpired = wall >= valid ? seenExpired + 1 : 0;
          const sight = {
            validForMs: valid * 60_000,
            seenMs: age * 60_000,
            seenExpiredMs: Math.max(0, seenExpired - 1) * 60_000,
          };
          if (!isStrictLeaseOver(sight)) continue;
          assert.ok(age >= Math.min(valid, 60) && age <= 2 * valid, `ended at ${age} of ${valid}`);
          return;
        }
      },
    ),
    { verbose: true },
  );
});
