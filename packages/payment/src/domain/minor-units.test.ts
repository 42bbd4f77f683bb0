import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromMinor, payableRange, toMinor } from "./minor-units.ts";

const unit = 1_000_000_000n;

for (const [currency, nanos, minor] of [
  ["USD", 10n * unit, 1000n],
  ["USD", unit / 100n, 1n],
  ["JPY", 500n * unit, 500n],
  ["KRW", unit, 1n],
  ["KWD", 5n * unit + unit / 100n, 5010n],
  ["UGX", 500n * unit, 50_000n],
  ["ISK", 5n * unit, 500n],
  ["HUF", 10n * unit + unit / 2n, 1050n],
  ["TWD", 800n * unit, 80_000n],
] as const) {
  test(`${nanos} nanos of ${currency} are ${minor} of the provider's units`, () => {
    assert.equal(toMinor(nanos, currency), minor);
    assert.equal(fromMinor(minor, currency), nanos);
  });
}

for (const [currency, nanos] of [
  ["USD", 1n],
  ["USD", 0n],
  ["USD", -unit],
  ["JPY", unit / 2n],
  ["KWD", 5n * unit + unit / 1000n],
  ["UGX", unit / 2n],
] as const) {
  test(`${nanos} nanos of ${currency} cannot be paid`, () => {
    assert.equal(toMinor(nanos, currency), undefined);
  });
}

test("what the range allows survives the way there and back", () => {
  const currencies = fc.constantFrom("USD", "EUR", "JPY", "KWD", "ISK", "XAF");
  fc.assert(
    fc.property(currencies, fc.bigInt(1n, 99_999_999n), (currency, minor) => {
      const nanos = fromMinor(minor, currency);
      const back = toMinor(nanos, currency);
      assert.ok(back === undefined || back === minor);
    }),
  );
  for (const currency of ["USD", "JPY", "KWD", "ISK"]) {
    const { min, max } = payableRange(currency);
    assert.ok(toMinor(min, currency) !== undefined && toMinor(max, currency) !== undefined);
  }
});
