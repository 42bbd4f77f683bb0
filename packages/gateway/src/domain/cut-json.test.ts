import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseCutJson } from "./cut-json.ts";

// biome-ignore format: a table is read by column
const cases: [name: string, text: string, want: unknown][] = [
  ["a text that was cut",                 '{"a":[{"b":"hel',        { a: [{ b: "hel" }] }],
  ["a text cut at its end",               '{"a":"hello"',           { a: "hello" }],
  ["a text cut inside an escape",         '{"a":"x\\',              { a: "x" }],
  ["a text cut inside a long escape",     '{"a":"x\\u00e',          { a: "x" }],
  ["a text with a quote in it",           '{"a":"say \\"hi',        { a: 'say "hi' }],
  ["a name that was cut",                 '{"a":1,"b',              { a: 1 }],
  ["a name without its value",            '{"a":1,"b":',            { a: 1 }],
  ["a number, which may have gone on",    '{"a":"x","b":12',        { a: "x" }],
  ["a word that was cut",                 '{"a":"x","b":tru',       { a: "x" }],
  ["a list that goes on",                 '{"a":["x","y',           { a: ["x", "y"] }],
  ["a whole object",                      ' {"a":1}',               { a: 1 }],
  ["no object",                           "<html>",                 undefined],
  ["a text alone",                        '"hel',                   undefined],
  ["nonsense before the cut",             '{"a":nonsense,"b":"x',   undefined],
  ["nothing",                             "",                       undefined],
];

for (const [name, text, want] of cases) {
  test(`reads ${name}`, () => assert.deepEqual(parseCutJson(text), want));
}

test("reads an object out of whatever is left of one", () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 });
  fc.assert(
    fc.property(object, fc.nat(), (value, seed) => {
      const text = JSON.stringify(value);
      const cut = parseCutJson(text.slice(0, 1 + (seed % text.length)));
      assert.ok(typeof cut === "object" && cut !== null);
    }),
  );
});
