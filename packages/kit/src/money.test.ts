import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  divideUp,
  formatNanos,
  maxNanos,
  minNanos,
  nanosMax,
  parseNanos,
  RateDecimal,
} from "./money.ts";

const amounts = fc.oneof(
  fc.bigInt(-nanosMax, nanosMax),
  fc.bigInt(-2_000_000_000n, 2_000_000_000n),
);

describe("formatNanos and parseNanos", () => {
  it("are each other's inverse for every amount", () => {
    fc.assert(
      fc.property(amounts, (nanos) => {
        assert.equal(parseNanos(formatNanos(nanos)), nanos);
      }),
      { numRuns: 2000 },
    );
  });

  // biome-ignore format: a table is read by column
  const spellings: [text: string, nanos: bigint][] = [
    ["0", 0n],
    ["1.5", 1_500_000_000n],
    ["-1.5", -1_500_000_000n],
    ["0.000000001", 1n],
    ["-0.000000001", -1n],
    ["100", 100_000_000_000n],
    ["9007199.254740993", 9_007_199_254_740_993n],
    ["9000000000", nanosMax],
    ["-9000000000", -nanosMax],
  ];
  for (const [text, nanos] of spellings) {
    it(`spell ${nanos} nanos ${text}`, () => {
      assert.equal(formatNanos(nanos), text);
      assert.equal(parseNanos(text), nanos);
    });
  }

  it("read trailing and leading zeros, and minus nothing as nothing", () => {
    assert.deepEqual(["1.50", "01.5", "-0", "0.000000000"].map(parseNanos), [
      1_500_000_000n,
      1_500_000_000n,
      0n,
      0n,
    ]);
  });

  // biome-ignore format: a list of the same
  const refused = ["", " ", "1 ", "+1", ".5", "1.", "1,5", "1e3", "0x10", "NaN", "Infinity", "--1", "1.0000000001",
    "0.0000000000", "9000000000.000000001", "-9000000000.000000001", "99999999999", "１", "1\n"];
  for (const text of refused) {
    it(`refuse ${JSON.stringify(text)} rather than guess or round`, () => {
      assert.equal(parseNanos(text), undefined);
    });
  }
});

describe("divideUp", () => {
  it("is the least whole number that is not below the quotient, for either sign", () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt({ min: 1n }), (numerator, denominator) => {
        const up = divideUp(numerator, denominator);
        assert.ok(up * denominator >= numerator);
        assert.ok((up - 1n) * denominator < numerator);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("minNanos and maxNanos", () => {
  it("give back the two amounts, ordered", () => {
    fc.assert(
      fc.property(amounts, amounts, (a, b) => {
        assert.ok(minNanos(a, b) <= maxNanos(a, b));
        assert.deepEqual(new Set([minNanos(a, b), maxNanos(a, b)]), new Set([a, b]));
      }),
    );
  });
});

describe("RateDecimal", () => {
  it("multiplies a price, a mark-up and an exchange rate without losing a digit", () => {
    const product = new RateDecimal("123456.78901234567891")
      .mul("1.2345678901")
      .mul("7.1234567891");
    const digits = 12345678901234567891n * 12345678901n * 71234567891n;
    assert.equal(product.mul("1e34").toFixed(), digits.toString());
  });

  it("never writes an exponent", () => {
    assert.equal(new RateDecimal("0.00000000000000000001").toString(), "0.00000000000000000001");
  });
});
