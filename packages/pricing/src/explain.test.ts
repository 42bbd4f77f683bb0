import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { snapshots, usages } from "../testing/arbitraries.ts";
import { charge } from "./charge.ts";
import { compilePrice } from "./compiled-price.ts";
import { explainCharge } from "./explain.ts";
import { parsePrice } from "./price.ts";
import { makeSnapshot } from "./snapshot.ts";
import { noUsage, usageBuckets } from "./usage.ts";
import { UsageError } from "./usage-error.ts";

/** A decimal string as an integer of 10⁻¹⁰⁰, by hand. */
function hundredPlaces(text: string): bigint {
  const [whole = "0", decimals = ""] = text.split(".");
  assert.ok(decimals.length <= 100);
  return BigInt(whole + decimals.padEnd(100, "0"));
}

describe("explainCharge", () => {
  it("has lines that sum to the exact total, and rounds to what charge returns", () => {
    fc.assert(
      fc.property(snapshots, usages, (snapshot, usage) => {
        const explained = explainCharge(snapshot, usage);
        const sum = explained.lines.reduce((total, line) => total + hundredPlaces(line.amount), 0n);
        assert.equal(sum, hundredPlaces(explained.exact));
        assert.equal(explained.roundedNanos, charge(compilePrice(snapshot), usage));
        assert.deepEqual(
          explained.lines.map((line) => [line.bucket, line.quantity]),
          usageBuckets.filter((name) => usage[name] !== 0).map((name) => [name, usage[name]]),
        );
      }),
      { numRuns: 1000 },
    );
  });

  const price = parsePrice({
    provider: "anthropic",
    model: "sonnet",
    effective_from: "2026-09-29",
    source: "bundled",
    input: "3",
    output: "15",
    cache_read: "0.3",
    request: "0.0000000001",
    tiers: [{ above_input_tokens: 200_000, input: "6", output: "22.5" }],
  });
  const snapshot = makeSnapshot(price, {
    markup: "1.2",
    exchangeRate: "0.92",
    accountCurrency: "EUR",
  });
  const usage = {
    ...noUsage,
    inputTokens: 1_000,
    cacheReadTokens: 250_000,
    outputTokens: 40,
    requests: 1,
  };

  it("shows quantity, unit price, tier, mark-up, rate and rounding as data", () => {
    const { text, ...explained } = explainCharge(snapshot, usage);
    const line = { per: 1_000_000, tier: 200_000 };
    assert.notEqual(text, "");
    assert.deepEqual(explained, {
      lines: [
        // 1000 × 6 ÷ 10^6 × 1.2 × 0.92
        { ...line, bucket: "inputTokens", quantity: 1_000, unitRate: "6", amount: "0.006624" },
        // 250,000 × 0.3 ÷ 10^6 × 1.104: the tier names no cache rate, so the base's stays
        {
          ...line,
          bucket: "cacheReadTokens",
          quantity: 250_000,
          unitRate: "0.3",
          amount: "0.0828",
        },
        // 40 × 22.5 ÷ 10^6 × 1.104
        { ...line, bucket: "outputTokens", quantity: 40, unitRate: "22.5", amount: "0.0009936" },
        {
          bucket: "requests",
          quantity: 1,
          unitRate: "0.0000000001",
          per: 1,
          tier: 200_000,
          amount: "0.0000000001104",
        },
      ],
      markup: "1.2",
      exchangeRate: "0.92",
      currency: "USD",
      accountCurrency: "EUR",
      exact: "0.0904176001104",
      roundedNanos: 90_417_601n,
    });
  });

  it("writes the same for people, in columns", () => {
    assert.equal(
      explainCharge(snapshot, usage).text,
      [
        "anthropic sonnet, prompt above 200000 tokens, prices of 2026-09-29T00:00:00.000Z (bundled)",
        "input tokens         1000  × 6 USD / 1000000     × mark-up 1.2 × 0.92 EUR/USD  = 0.006624 EUR",
        "cache read tokens  250000  × 0.3 USD / 1000000   × mark-up 1.2 × 0.92 EUR/USD  = 0.0828 EUR",
        "output tokens          40  × 22.5 USD / 1000000  × mark-up 1.2 × 0.92 EUR/USD  = 0.0009936 EUR",
        "requests                1  × 0.0000000001 USD    × mark-up 1.2 × 0.92 EUR/USD  = 0.0000000001104 EUR",
        "exact total 0.0904176001104 EUR, rounded up once to 9 decimals: 0.090417601 EUR",
      ].join("\n"),
    );
  });

  it("names the tier that charge uses on both sides of the threshold", () => {
    const tiers = [199_999, 200_000, 200_001].map((prompt) => {
      const cached = { ...noUsage, inputTokens: 1, cacheReadTokens: prompt - 1 };
      const { lines, roundedNanos } = explainCharge(snapshot, cached);
      assert.equal(roundedNanos, charge(compilePrice(snapshot), cached));
      return lines[0]?.tier;
    });
    assert.deepEqual(tiers, [null, null, 200_000]);
  });

  it("explains a charge of nothing, on base rates", () => {
    const explained = explainCharge(snapshot, noUsage);
    assert.deepEqual([explained.lines, explained.exact, explained.roundedNanos], [[], "0", 0n]);
  });

  it("refuses what charge refuses", () => {
    const unpriced = new UsageError("UNPRICED", "images");
    assert.throws(() => explainCharge(snapshot, { ...noUsage, images: 1 }), unpriced);
    const negative = new UsageError("NOT_A_COUNT", "outputTokens");
    assert.throws(() => explainCharge(snapshot, { ...noUsage, outputTokens: -1 }), negative);
  });
});
