import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { divideDownFast, divideUpFast, isExact } from "./fast-integer.ts";

const safe = fc.oneof(fc.maxSafeNat(), fc.nat(1_000_000), fc.constantFrom(0, 1, 2 ** 53 - 1));
const divisors = safe.filter((n) => n > 0);

describe("integers in floats", () => {
  it("knows whether a sum of products came out exact", () => {
    const pairs = fc.array(fc.tuple(safe, safe), { maxLength: 10 });
    fc.assert(
      fc.property(pairs, (products) => {
        const fast = products.reduce((sum, [a, b]) => sum + a * b, 0);
        const exact = products.reduce((sum, [a, b]) => sum + BigInt(a) * BigInt(b), 0n);
        if (isExact(fast)) assert.equal(BigInt(fast), exact);
        else assert.ok(exact > BigInt(Number.MAX_SAFE_INTEGER));
      }),
      { numRuns: 2000 },
    );
    assert.equal(isExact(Number.NaN), false);
  });

  it("divides as integers do, up and down", () => {
    fc.assert(
      fc.property(safe, divisors, (a, b) => {
        const down = BigInt(a) / BigInt(b);
        const up = BigInt(a) % BigInt(b) === 0n ? down : down + 1n;
        assert.deepEqual([BigInt(divideDownFast(a, b)), BigInt(divideUpFast(a, b))], [down, up]);
      }),
      { numRuns: 5000 },
    );
  });

  it("divides right beside multiples, the largest ones most of all", () => {
    const most = BigInt(Number.MAX_SAFE_INTEGER);
    const besides = fc.integer({ min: -2, max: 2 });
    fc.assert(
      fc.property(divisors, fc.nat(1_000), besides, fc.boolean(), (b, k, beside, isLarge) => {
        const multiple = isLarge ? most / BigInt(b) - BigInt(k) : BigInt(k);
        const product = BigInt(b) * multiple + BigInt(beside);
        fc.pre(product >= 0n && product <= most);
        const down = product / BigInt(b);
        const up = product % BigInt(b) === 0n ? down : down + 1n;
        const a = Number(product);
        assert.deepEqual([BigInt(divideDownFast(a, b)), BigInt(divideUpFast(a, b))], [down, up]);
      }),
      { numRuns: 10_000 },
    );
  });
});
