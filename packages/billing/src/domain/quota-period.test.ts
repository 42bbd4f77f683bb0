import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { QuotaPeriod } from "./free-quota.ts";
import { periodAt } from "./quota-period.ts";

// biome-ignore format: a table is read by column
const cases: [period: QuotaPeriod, at: string, start: string, end: string | undefined][] = [
  ["DAY",   "2026-11-21T23:59:59.999Z", "2026-11-21", "2026-11-22"],
  ["DAY",   "2026-11-22T00:00:00.000Z", "2026-11-22", "2026-11-23"],
  ["WEEK",  "2026-11-22T23:59:59.999Z", "2026-11-16", "2026-11-23"],
  ["WEEK",  "2026-11-23T00:00:00.000Z", "2026-11-23", "2026-11-30"],
  ["WEEK",  "1970-01-01T00:00:00.000Z", "1969-12-29", "1970-01-05"],
  ["MONTH", "2026-12-31T23:59:59.999Z", "2026-12-01", "2027-01-01"],
  ["MONTH", "2028-02-29T12:00:00.000Z", "2028-02-01", "2028-03-01"],
  ["MONTH", "2100-02-28T12:00:00.000Z", "2100-02-01", "2100-03-01"],
  ["TOTAL", "2026-11-21T00:00:00.000Z", "1970-01-01", undefined],
];

describe("a quota's period", () => {
  for (const [period, at, start, end] of cases) {
    it(`of a ${period} at ${at} begins on ${start}`, () => {
      assert.deepEqual(periodAt(period, Date.parse(at)), {
        startMs: Date.parse(start),
        endMs: end === undefined ? undefined : Date.parse(end),
      });
    });
  }

  it("of a month is what the calendar says", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (atMs) => {
        const at = new Date(atMs);
        const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
        assert.deepEqual(periodAt("MONTH", atMs), {
          startMs: Date.UTC(year, month),
          endMs: Date.UTC(year, month + 1),
        });
      }),
      { numRuns: 2_000 },
    );
  });
});
