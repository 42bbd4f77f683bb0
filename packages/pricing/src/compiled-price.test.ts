import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { snapshots } from "../testing/arbitraries.ts";
import { compilePrice, tierOf } from "./compiled-price.ts";
import { parsePrice } from "./price.ts";
import { makeSnapshot } from "./snapshot.ts";
import { usageBuckets } from "./usage.ts";

describe("compilePrice", () => {
  it("brings a price to its smallest fractions of a nano", () => {
    const price = parsePrice({
      provider: "p",
      model: "m",
      input: "0.15",
      output: "0.6",
      cache_read: "0.0375",
      image: "0.04",
      tiers: [{ above_input_tokens: 1000, input: "0.3" }],
    });
    const compiled = compilePrice(
      makeSnapshot(price, { exchangeRate: "1", accountCurrency: "USD" }),
    );
    // 0.0375 per million is 37.5 nanos: everything in halves.
    assert.equal(compiled.denominator, 2n);
    assert.deepEqual(
      [compiled.base.exact.inputTokens, compiled.base.exact.cacheReadTokens],
      [300n, 75n],
    );
    assert.deepEqual(
      [compiled.base.exact.images, compiled.tiers[0]?.exact.inputTokens],
      [80_000_000n, 600n],
    );
  });

  it("has fast numbers that are its exact ones, or none", () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const compiled = compilePrice(snapshot);
        for (const tier of [compiled.base, ...compiled.tiers]) {
          for (const bucket of usageBuckets) {
            const fast = tier.fast[bucket];
            const isHeld = tier.exact[bucket] <= BigInt(Number.MAX_SAFE_INTEGER);
            assert.equal(Number.isNaN(fast), !isHeld);
            if (isHeld) assert.equal(BigInt(fast), tier.exact[bucket]);
          }
        }
      }),
    );
  });

  it("chooses the largest threshold strictly below the prompt", () => {
    const price = parsePrice({
      provider: "p",
      model: "m",
      input: "1",
      output: "1",
      tiers: [
        { above_input_tokens: 200_000, input: "2" },
        { above_input_tokens: 128_000, input: "3" },
      ],
    });
    const compiled = compilePrice(
      makeSnapshot(price, { exchangeRate: "1", accountCurrency: "USD" }),
    );
    const thresholds = [0, 128_000, 128_001, 200_000, 200_001, Number.MAX_SAFE_INTEGER].map(
      (prompt) => tierOf(compiled, prompt).aboveInputTokens,
    );
    assert.deepEqual(thresholds, [-1, -1, 128_000, 128_000, 200_000, 200_000]);
  });
});
