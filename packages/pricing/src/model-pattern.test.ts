import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { comparePatterns, matchesModelPattern } from "./model-pattern.ts";

// biome-ignore format: a table is read by column
const cases: [pattern: string, name: string, fits: boolean][] = [
  ["gpt-4o",               "gpt-4o",                     true],
  ["gpt-4o",               "gpt-4o-mini",                false],
  ["gpt-4o*",              "gpt-4o-mini",                true],
  ["gpt-4o*",              "gpt-4",                      false],
  ["*-mini",               "gpt-4o-mini",                true],
  ["*-mini",               "gpt-4o-mini-2024-07-18",     false],
  ["*claude-3*haiku*",     "us.claude-3-5-haiku-v1:0",   true],
  ["claude-????????",      "claude-20250929",            true],
  ["claude-????????",      "claude-2025092",             false],
  ["claude-????????",      "claude-202509299",           false],
  ["*",                    "",                           true],
  ["?",                    "",                           false],
  ["a.c",                  "abc",                        false],
  ["gpt-4o*",              "gpt-4o-*",                   true],
  ["gpt-4o*",              "gpt-4*",                     false],
  ["o?",                   "o?",                         true],
  ["o?",                   "o*",                         false],
];

describe("a model pattern", () => {
  for (const [pattern, name, fits] of cases) {
    it(`${fits ? "takes" : "refuses"} ${name || "nothing"} for ${pattern}`, () => {
      assert.equal(matchesModelPattern(pattern, name), fits);
    });
  }

  it("agrees with the regular expression that means the same", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
    const names = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 });
    fc.assert(
      fc.property(letters, names, (pattern, name) => {
        const regex = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`);
        assert.equal(matchesModelPattern(pattern, name), regex.test(name));
      }),
      { numRuns: 2_000 },
    );
  });

  it("takes another pattern only with every name that one stands for", () => {
    const patterns = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 6 });
    const fillings = fc.array(fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 3 }), {
      minLength: 6,
      maxLength: 6,
    });
    fc.assert(
      fc.property(patterns, patterns, fillings, (wide, narrow, texts) => {
        fc.pre(matchesModelPattern(wide, narrow));
        let filled = 0;
        const name = narrow.replaceAll(/[*?]/g, (wild) => {
          const text = texts[filled++] ?? "";
          return wild === "*" ? text : text.slice(0, 1) || "a";
        });
        assert.ok(matchesModelPattern(wide, name), `${wide} takes ${narrow} but not ${name}`);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is tried before those that say less", () => {
    const patterns = ["*", "gpt-*", "gpt-4o-*", "*-mini*", "gpt-4*"];
    assert.deepEqual(patterns.sort(comparePatterns), [
      "gpt-4o-*",
      "*-mini*",
      "gpt-4*",
      "gpt-*",
      "*",
    ]);
  });
});
