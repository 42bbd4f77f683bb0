import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type PaymentState, paymentStates, stateAfter } from "./payment.ts";

const asked = { minor: 1000n, currencyCode: "USD" };

for (const [state, said, after] of [
  ["CREATED", "PENDING", "PENDING"],
  ["UNKNOWN", "PENDING", "PENDING"],
  ["UNKNOWN", "PAID", "PAID"],
  ["PENDING", "PENDING", "PENDING"],
  ["PENDING", "EXPIRED", "EXPIRED"],
  ["EXPIRED", "PENDING", "EXPIRED"],
  ["EXPIRED", "PAID", "PAID"],
  ["FAILED", "PAID", "PAID"],
  ["PAID", "EXPIRED", "PAID"],
  ["PAID", "FAILED", "PAID"],
  ["PARKED", "PAID", "PARKED"],
] as const) {
  test(`${state} is ${after} when the provider says ${said}`, () => {
    assert.equal(stateAfter({ state, ...asked }, { state: said, ...asked }), after);
  });
}

for (const [what, arrived] of [
  ["less", { minor: 999n, currencyCode: "USD" }],
  ["more", { minor: 1001n, currencyCode: "USD" }],
  ["another currency", { minor: 1000n, currencyCode: "EUR" }],
] as const) {
  test(`${what} than asked for is parked`, () => {
    const after = stateAfter({ state: "PENDING", ...asked }, { state: "PAID", ...arrived });
    assert.equal(after, "PARKED");
  });
}

test("paid once, whatever is said, how often and in what order", () => {
  const said = fc.constantFrom("PENDING", "PAID", "FAILED", "EXPIRED");
  fc.assert(
    fc.property(fc.array(said, { minLength: 1, maxLength: 8 }), (reports) => {
      let state: PaymentState = "CREATED";
      for (const report of reports) {
        const after = stateAfter({ state, ...asked }, { state: report, ...asked });
        assert.ok(paymentStates.indexOf(after) >= paymentStates.indexOf(state));
        state = after;
      }
      assert.equal(state === "PAID", reports.includes("PAID"));
    }),
  );
});
