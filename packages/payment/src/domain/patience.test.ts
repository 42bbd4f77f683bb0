import assert from "node:assert/strict";
import { it } from "node:test";
import { nextLookMs, retryDelayMs } from "./patience.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

it("attempts come ever later, an hour apart at most", () => {
  const delays = [0, 1, 2, 6, 11, 12, 13, 1_000_000].map(retryDelayMs);
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 64_000, 2_048_000, hourMs, hourMs, hourMs]);
});

it("looks come ever later with the age of what is looked at", () => {
  const pauseAt = (ageMs: number) => nextLookMs(1_000, 1_000 + ageMs) - 1_000 - ageMs;
  const ages = [0, 30_000, minuteMs, hourMs, 2 * hourMs, 48 * hourMs];
  assert.deepEqual(ages.map(pauseAt), [15_000, 15_000, 30_000, hourMs / 2, hourMs, hourMs]);
});
