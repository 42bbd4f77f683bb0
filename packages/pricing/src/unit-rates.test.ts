import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ResolvedRates, resolveRates, type UnitRates } from "./unit-rates.ts";

const plain: ResolvedRates = {
  input: "3",
  output: "15",
  cacheRead: "3",
  cacheWrite: "3",
  cacheWrite1h: "3",
  reasoning: "15",
  audioInput: "3",
  audioOutput: "15",
  image: null,
  request: "0",
};
const base: UnitRates = { input: "3", output: "15" };

describe("resolveRates", () => {
  // biome-ignore format: a table is read by column
  const cases: [name: string, base: UnitRates, tier: Partial<UnitRates>, want: ResolvedRates][] = [
    ["falls back to input, output, no request fee and no images", base, {}, plain],
    ["takes one-hour writes as five-minute ones", { ...base, cacheWrite: "3.75" }, {}, { ...plain, cacheWrite: "3.75", cacheWrite1h: "3.75" }],
    ["keeps every rate that is named", { ...base, cacheRead: "0.3", cacheWrite1h: "6", reasoning: "1", audioInput: "2", audioOutput: "4", image: "5", request: "7" }, {},
      { ...plain, cacheRead: "0.3", cacheWrite1h: "6", reasoning: "1", audioInput: "2", audioOutput: "4", image: "5", request: "7" }],
    ["raises with a tier what falls back to its rates", base, { input: "6", output: "22.5" },
      { ...plain, input: "6", cacheRead: "6", cacheWrite: "6", cacheWrite1h: "6", audioInput: "6", output: "22.5", reasoning: "22.5", audioOutput: "22.5" }],
    ["leaves to the base what a tier does not name", { ...base, cacheRead: "0.3", image: "1" }, { output: "22.5" },
      { ...plain, cacheRead: "0.3", image: "1", output: "22.5", reasoning: "22.5", audioOutput: "22.5" }],
    ["lets a tier price what the base does not", base, { image: "1", request: "2" }, { ...plain, image: "1", request: "2" }],
  ];
  for (const [name, rates, tier, want] of cases) {
    it(name, () => assert.deepEqual(resolveRates(rates, tier), want));
  }
});
