import assert from "node:assert/strict";
import { test } from "node:test";
import { findPricedName } from "./find-priced-name.ts";

const openai = new Map([
  ["gpt-4o-mini", "exact"],
  ["gpt-*", "family"],
  ["gpt-4o*", "closer"],
  ["*-mini", "ending"],
]);
const fallback = new Map([["*", "fallback"]]);

// biome-ignore format: a table is read by column
const cases: [name: string, provider: string, model: string, want: string | undefined][] = [
  ["takes the exact name first",             "openai",  "gpt-4o-mini",       "exact"],
  ["takes the pattern that says most",       "openai",  "gpt-4o-2024-11-20", "closer"],
  ["takes a wider pattern for other models", "openai",  "gpt-3.5",           "family"],
  ["takes the fallback for all else",        "openai",  "davinci",           "fallback"],
  ["takes the fallback for other providers", "another", "gpt-4o-mini",       "fallback"],
];

for (const [name, provider, model, want] of cases) {
  test(`a priced name ${name}`, () => {
    const table = new Map([
      ["openai", openai],
      ["*", fallback],
    ]);
    assert.equal(findPricedName(table, provider, model), want);
  });
}

test("a model that nothing names is unpriced", () => {
  assert.equal(findPricedName(new Map([["openai", openai]]), "openai", "davinci"), undefined);
});
