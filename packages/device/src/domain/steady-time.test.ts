import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { readSteady, type SteadyReading } from "./steady-time.ts";

const hourMs = 3_600_000;

it("an hour is an hour, whatever the wall clock does within it", () => {
  const anyStep = fc.record({
    passedMs: fc.integer({ min: 0, max: 10_000 }),
    jumpMs: fc.integer({ min: -hourMs, max: hourMs }),
  });
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 1, maxLength: 50 }), (steps) => {
      let reading: SteadyReading = { timeMs: 1_000_000, monotonicMs: 5 };
      let wallMs = reading.timeMs;
      let passedMs = 0;
      for (const step of steps) {
        wallMs += step.passedMs + step.jumpMs;
        passedMs += step.passedMs;
        const next = readSteady(reading, { wallMs, monotonicMs: 5 + passedMs });
        assert.ok(next.timeMs >= reading.timeMs, "never backwards");
        reading = next;
      }
      const error = Math.abs(reading.timeMs - 1_000_000 - passedMs);
      assert.ok(error <= passedMs * 0.0005 + 0.001, `${error} of ${passedMs}`);
    }),
  );
});

it("a wall clock that is ahead is caught up with, in time", () => {
  let reading: SteadyReading = { timeMs: 0, monotonicMs: 0 };
  for (let at = 1; at <= 40_000; at += 1) {
    reading = readSteady(reading, { wallMs: at * 1_000 + 10_000, monotonicMs: at * 1_000 });
  }
  assert.equal(reading.timeMs, 40_000_000 + 10_000);
});
