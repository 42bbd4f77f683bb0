import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { quantities, snapshots, usages } from "../testing/arbitraries.ts";
import { charge } from "./charge.ts";
import { compilePrice } from "./compiled-price.ts";
import { parsePrice } from "./price.ts";
import { makeSnapshot } from "./snapshot.ts";
import { completionTokens, promptTokens, type Usage } from "./usage.ts";
import { UsageError } from "./usage-error.ts";
import { affordableOutputTokens, worstCase } from "./worst-case.ts";

const compiled = snapshots.map(compilePrice);
const dollars = { exchangeRate: "1", accountCurrency: "USD" };

/** Brings a usage down to where its totals are counts themselves, as every real usage is. */
function modest(usage: Usage): Usage {
  const cut = (tokens: number) => tokens % 500_000;
  return {
    ...usage,
    inputTokens: cut(usage.inputTokens),
    cacheReadTokens: cut(usage.cacheReadTokens),
    cacheWriteTokens: cut(usage.cacheWriteTokens),
    cacheWrite1hTokens: cut(usage.cacheWrite1hTokens),
    audioInputTokens: cut(usage.audioInputTokens),
    outputTokens: cut(usage.outputTokens),
    reasoningTokens: cut(usage.reasoningTokens),
    audioOutputTokens: cut(usage.audioOutputTokens),
  };
}

describe("worstCase", () => {
  it("is at least the charge of every usage inside the bound", () => {
    const slack = fc.oneof(fc.constant(0), fc.nat(300_000));
    fc.assert(
      fc.property(compiled, usages, slack, fc.nat(3), (price, any, more, extra) => {
        const usage = modest(any);
        const choices = 1 + extra;
        const bound = worstCase(price, {
          inputTokens: promptTokens(usage) + more,
          outputTokens: Math.ceil(completionTokens(usage) / choices),
          choices,
          requests: usage.requests,
          images: usage.images + extra,
        });
        assert.ok(charge(price, usage) <= bound);
      }),
      { numRuns: 2000 },
    );
  });

  it("is reached by the dearest usage where tiers only rise", () => {
    const rising = compilePrice(
      makeSnapshot(
        parsePrice({
          provider: "p",
          model: "m",
          input: "3",
          output: "15",
          cache_write_1h: "6",
          tiers: [{ above_input_tokens: 1000, cache_write_1h: "12", output: "22.5" }],
        }),
        dollars,
      ),
    );
    const call = { outputTokens: 10, choices: 2, requests: 1 };
    // 1000 × 6000 + 2 × 10 × 15,000; then 1001 × 12,000 + 2 × 10 × 22,500
    assert.equal(worstCase(rising, { ...call, inputTokens: 1000 }), 6_300_000n);
    assert.equal(worstCase(rising, { ...call, inputTokens: 1001 }), 12_462_000n);
  });

  it("keeps a dear base rate in the bound of a cheaper tier, which a short prompt may miss", () => {
    const falling = compilePrice(
      makeSnapshot(
        parsePrice({
          provider: "p",
          model: "m",
          input: "3",
          output: "15",
          tiers: [{ above_input_tokens: 10, input: "1", output: "1" }],
        }),
        dollars,
      ),
    );
    const call = { inputTokens: 100, outputTokens: 1, choices: 1, requests: 1 };
    assert.equal(worstCase(falling, call), 315_000n);
  });

  it("bounds the least price there is, whose denominator no float holds", () => {
    const least = "0.00000000000000000001"; // 10^-17 nanos per token
    const price = compilePrice(
      makeSnapshot(parsePrice({ provider: "p", model: "m", input: "0", output: least }), dollars),
    );
    const call = { inputTokens: 1, choices: 1, requests: 1 };
    assert.equal(worstCase(price, { ...call, outputTokens: 1 }), 1n);
    assert.equal(affordableOutputTokens(price, { ...call, amountNanos: 0n }), 0);
    const unlimited = affordableOutputTokens(price, { ...call, amountNanos: 1n });
    assert.equal(unlimited, Number.MAX_SAFE_INTEGER);
  });

  it("names the bound that is no count, and refuses images without a price", () => {
    const price = compilePrice(
      makeSnapshot(parsePrice({ provider: "p", model: "m", input: "3", output: "15" }), dollars),
    );
    const call = { inputTokens: 1, outputTokens: 1, choices: 1, requests: 1, images: 0 };
    for (const name of ["inputTokens", "outputTokens", "choices", "requests", "images"]) {
      const refused = new UsageError("NOT_A_COUNT", name);
      for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53]) {
        assert.throws(() => worstCase(price, { ...call, [name]: wrong }), refused);
      }
    }
    const unpriced = new UsageError("UNPRICED", "images");
    assert.throws(() => worstCase(price, { ...call, images: 1 }), unpriced);
  });
});

describe("affordableOutputTokens", () => {
  const amounts = fc.oneof(
    fc.bigInt(-5n, 1_000_000n),
    fc.bigInt(0n, 10n ** 12n),
    fc.bigInt(0n, 9n * 10n ** 18n),
  );

  it("is the largest limit whose worst case is at most the amount", () => {
    fc.assert(
      fc.property(
        compiled,
        fc.record({ inputTokens: quantities, choices: fc.nat(4), requests: fc.nat(2) }),
        amounts,
        (price, call, amountNanos) => {
          const most = affordableOutputTokens(price, { ...call, amountNanos });
          const cost = (outputTokens: number) => worstCase(price, { ...call, outputTokens });
          if (most < 0) {
            assert.equal(most, -1);
            assert.ok(cost(0) > amountNanos, "the input can be paid after all");
            return;
          }
          assert.ok(cost(most) <= amountNanos, "the limit costs more than the amount");
          if (most < Number.MAX_SAFE_INTEGER) {
            assert.ok(cost(most + 1) > amountNanos, "one more token is affordable");
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("takes an amount that the worst case was computed for back to its limit", () => {
    fc.assert(
      fc.property(
        compiled,
        fc.nat(200_000),
        fc.nat(100_000),
        (price, inputTokens, outputTokens) => {
          const call = { inputTokens, choices: 1, requests: 1 };
          const amountNanos = worstCase(price, { ...call, outputTokens });
          assert.ok(affordableOutputTokens(price, { ...call, amountNanos }) >= outputTokens);
        },
      ),
    );
  });

  it("does not limit output that is free", () => {
    const free = compilePrice(
      makeSnapshot(parsePrice({ provider: "p", model: "m", input: "3", output: "0" }), dollars),
    );
    const call = { inputTokens: 1, choices: 1, requests: 1 };
    const limit = (amountNanos: bigint) => affordableOutputTokens(free, { ...call, amountNanos });
    assert.deepEqual([limit(2_999n), limit(3_000n)], [-1, Number.MAX_SAFE_INTEGER]);
  });
});
