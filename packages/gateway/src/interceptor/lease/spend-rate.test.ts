import assert from "node:assert/strict";
import test from "node:test";
import { SpendRate } from "./spend-rate.ts";

test("a steady spend is known from the first tenth of a second on", () => {
  const rate = new SpendRate(1000);
  for (let nowMs = 1000; nowMs < 6000; nowMs += 10) {
    rate.add(50);
    if (nowMs >= 1200) assert.ok(Math.abs(rate.perMs(nowMs) - 5) < 0.5, `at ${nowMs} ms`);
  }
});

test("a spend that ends is forgotten within seconds", () => {
  const rate = new SpendRate(0);
  rate.add(10_000);
  assert.equal(rate.perMs(1000), 10);
  assert.ok(rate.perMs(3000) <= 5);
  assert.ok(rate.perMs(13_000) <= 1);
});

test("a burst counts before the first tenth of a second is over", () => {
  const rate = new SpendRate(0);
  rate.add(1000);
  assert.equal(rate.perMs(5), 10);
});
