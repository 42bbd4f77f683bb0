import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  nextRefundStep,
  type RefundState,
  type RefundTold,
  refundOrigins,
  refundStateAfter,
} from "./refund.ts";

for (const [state, origin, told, step] of [
  ["CREATED", "CUSTOMER", "NOTHING", "RESERVE"],
  ["CREATED", "CUSTOMER", "RESERVED", "ASK"],
  ["CREATED", "OPERATOR", "NOTHING", "ASK"],
  ["UNKNOWN", "CUSTOMER", "RESERVED", "ASK"],
  ["PENDING", "CUSTOMER", "RESERVED", "REVERSE"],
  ["PENDING", "CUSTOMER", "TAKING", "REVERSE"],
  ["PENDING", "OPERATOR", "REVERSED", "READ"],
  ["SUCCEEDED", "PROVIDER", "NOTHING", "REVERSE"],
  ["SUCCEEDED", "CUSTOMER", "REVERSED", "REST"],
  ["FAILED", "CUSTOMER", "RESERVED", "RETURN"],
  ["FAILED", "CUSTOMER", "REVERSED", "RETURN"],
  ["FAILED", "OPERATOR", "TAKING", "RETURN"],
  ["FAILED", "OPERATOR", "NOTHING", "REST"],
  ["FAILED", "CUSTOMER", "RETURNED", "REST"],
] as const) {
  test(`${origin}, ${state}, Billing knows ${told}: ${step}`, () => {
    assert.equal(nextRefundStep({ state, origin, told }), step);
  });
}

test("every refund comes to rest, and Billing then knows what the provider knows", () => {
  const said = fc.constantFrom<RefundState>("UNKNOWN", "PENDING", "SUCCEEDED", "FAILED");
  const lives = fc.record({
    origin: fc.constantFrom(...refundOrigins),
    answers: fc.array(said, { maxLength: 6 }),
    last: fc.constantFrom<RefundState>("SUCCEEDED", "FAILED"),
  });
  fc.assert(
    fc.property(lives, ({ origin, answers, last }) => {
      const left = [...answers, last];
      let state: RefundState = "CREATED";
      let told: RefundTold = "NOTHING";
      for (let steps = 0; ; steps += 1) {
        assert.ok(steps < 40, "it goes on for ever");
        const step = nextRefundStep({ state, origin, told });
        if (step === "REST") break;
        if (step === "RESERVE") told = "RESERVED";
        if (step === "REVERSE") told = "REVERSED";
        if (step === "RETURN") told = "RETURNED";
        if (step === "ASK") {
          assert.ok(origin !== "CUSTOMER" || told === "RESERVED", "asked with nothing set aside");
        }
        if (step === "ASK" || step === "READ")
          state = refundStateAfter(state, left.shift() ?? last);
      }
      assert.equal(told === "REVERSED", state === "SUCCEEDED");
    }),
  );
});
