import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { usages } from "../testing/arbitraries.ts";
import { completionTokens, noUsage, promptTokens, usageBuckets } from "./usage.ts";

describe("usage", () => {
  it("has every token in the prompt or in the completion, and none in both", () => {
    fc.assert(
      fc.property(usages, (any) => {
        const usage = Object.fromEntries(usageBuckets.map((name) => [name, any[name] % 1e12]));
        const whole = { ...noUsage, ...usage };
        const all = usageBuckets.reduce((sum, name) => sum + whole[name], 0);
        const apart = whole.images + whole.requests;
        assert.equal(promptTokens(whole) + completionTokens(whole) + apart, all);
      }),
    );
  });

  it("lists every bucket once", () => {
    assert.deepEqual([...usageBuckets].sort(), Object.keys(noUsage).sort());
  });
});
