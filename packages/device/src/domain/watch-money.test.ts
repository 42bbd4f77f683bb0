import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type MoneySight, planMoney, shortage } from "./watch-money.ts";

const sight = (change: Partial<MoneySight> = {}): MoneySight => ({
  held: 1_100n,
  spent: 100n,
  restCost: 900n,
  trafficCost: 100n,
  ...change,
});

describe("a device's money", () => {
  // biome-ignore format: a table is read by column
  const cases: [name: string, sight: Partial<MoneySight>, want: bigint][] = [
    ["is enough with all of its margin",          {},                            0n],
    ["is enough with half of its margin",         { spent: 150n },               0n],
    ["is short below that, by the whole margin",  { spent: 151n },              51n],
    ["is short by all that was spent too much",   { spent: 2_000n },         1_900n],
    ["is enough where traffic costs nothing",     { spent: 200n, trafficCost: 0n }, 0n],
  ];
  for (const [name, change, want] of cases) {
    it(name, () => assert.equal(shortage(sight(change)), want));
  }
});

describe("a device for which no more can be held", () => {
  const time = {
    nowMs: 10_000,
    restMs: 900_000,
    graceMs: 30_000,
    warnMs: 300_000,
    stopMs: undefined,
  };
  // biome-ignore format: a table is read by column
  const cases: [name: string, sight: Partial<MoneySight>, stopMs: number | undefined, want: object][] = [
    ["goes on while what is held lasts for the term",  { spent: 200n },   undefined, { kind: "enough" }],
    ["goes on quietly while the end is far",           { spent: 700n },   undefined, { kind: "enough" }],
    ["is warned when the end is near",                 { spent: 800n },   undefined, { kind: "warn", endsMs: 310_000 }],
    ["has a grace period when nothing is left",        { spent: 1_100n }, undefined, { kind: "grace", stopMs: 40_000 }],
    ["keeps the end that it was told",                 { spent: 1_200n }, 12_000,    { kind: "grace", stopMs: 12_000 }],
  ];
  for (const [name, change, stopMs, want] of cases) {
    it(name, () => assert.deepEqual(planMoney(sight(change), { ...time, stopMs }), want));
  }
});
