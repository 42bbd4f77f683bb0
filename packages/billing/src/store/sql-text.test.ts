import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createTimeSpeller, timeText } from "./sql-text.ts";

test("a speller spells every instant as timeText does, one second after another and back", () => {
  const instant = fc.integer({ min: 0, max: 253_402_300_799_999 });
  fc.assert(
    fc.property(instant, fc.integer({ min: 0, max: 2000 }), (timeMs, later) => {
      const times = [timeMs, Math.min(timeMs + later, 253_402_300_799_999), timeMs];
      assert.deepEqual(times.map(createTimeSpeller()), times.map(timeText));
    }),
  );
});
