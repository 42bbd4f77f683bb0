import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { editTopLevel, memberBytes, topLevelMembers } from "./edit-body.ts";

const edit = (body: string, set: Record<string, string>): string =>
  editTopLevel(Buffer.from(body), new Map(Object.entries(set))).toString();

// biome-ignore format: a table is read by column
const cases: [name: string, body: string, set: Record<string, string>, want: string][] = [
  ["replaces a value in its place", '{"a":1,"max_tokens": 900 ,"b":2}', { max_tokens: "16" }, '{"a":1,"max_tokens": 16 ,"b":2}'],
  ["adds what is not there at the end", '{"a":1 }', { b: "true" }, '{"a":1 ,"b":true}'],
  ["adds to an empty object without a comma", " { } ", { a: "1", b: "2" }, ' { "a":1,"b":2} '],
  ["replaces and adds at once", '{"model":"x"}', { n: "1", model: '"y"' }, '{"model":"y","n":1}'],
  ["replaces every one of a repeated name", '{"n":1,"x":{"n":9},"n":2}', { n: "3" }, '{"n":3,"x":{"n":9},"n":3}'],
  ["finds a name behind escapes", '{"\\u006dodel":"x"}', { model: '"y"' }, '{"\\u006dodel":"y"}'],
  ["leaves the same name deeper down alone", '{"a":{"model":"x"},"b":["model",{"model":1}]}', { model: '"y"' }, '{"a":{"model":"x"},"b":["model",{"model":1}],"model":"y"}'],
  ["is not misled by quotes, braces and backslashes in strings", '{"p":"\\"model\\":\\\\","q":"}{][","model":"x"}', { model: '"y"' }, '{"p":"\\"model\\":\\\\","q":"}{][","model":"y"}'],
  ["replaces an object, a list, a literal", '{"a":{"b":[{}]},"c":[1,"]"],"d":null}', { a: "1", c: "2", d: "3" }, '{"a":1,"c":2,"d":3}'],
  ["keeps big integers, number spellings and escapes", '{"seed":12345678901234567890,"t":1.0e-0,"u":"\\u00e9","n":1}', { n: "2" }, '{"seed":12345678901234567890,"t":1.0e-0,"u":"\\u00e9","n":2}'],
];
for (const [name, body, set, want] of cases) {
  test(name, () => assert.equal(edit(body, set), want));
}

/** JSON text with spaces, escapes and repeated names, as no serialiser of ours would write it. */
const space = fc.constantFrom("", " ", "\n", "\t ");
const name = fc.oneof(
  fc.constantFrom("model", "n", "stream", "__proto__", "é", "a/b"),
  fc.string({ maxLength: 4 }),
);
// Of two characters or more: V8 (Node 24.21) reads an escaped name of one character as "\\" when an object with that name in
// the same place was parsed before, so that JSON.parse cannot be the judge of it.
const escaped = name
  .map((it) => (it.length === 1 ? `${it}_` : it))
  .map((it) =>
    [...it]
      .map(
        (c) =>
          `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}${c.length === 2 ? `\\u${c.charCodeAt(1).toString(16)}` : ""}`,
      )
      .join(""),
  );
const key = fc.oneof(
  name.map((it) => JSON.stringify(it)),
  escaped.map((it) => `"${it}"`),
);
const value = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.constantFrom("123456789012345678901", "-0.0", "1E+2", '"\\u007d\\"}"', '["]",{"n":1}]', "{ }"),
);
const member = fc
  .tuple(space, key, space, space, value, space)
  .map(([a, k, b, c, v, d]) => `${a}${k}${b}:${c}${v}${d}`);
const object = fc
  .tuple(space, fc.array(member, { maxLength: 6 }), space)
  .map(([a, list, b]) => `${a}{${list.length === 0 ? b : list.join(",")}}${b}`);
const set = fc.dictionary(name, fc.json({ maxDepth: 2 }), { maxKeys: 3 });

test("an edit of the bytes is the edit of the object, and every untouched value keeps its bytes", () => {
  fc.assert(
    fc.property(object, set, (text, edits) => {
      const body = Buffer.from(text);
      const map = new Map(Object.entries(edits));
      const edited = editTopLevel(body, map);
      const want = new Map(Object.entries<unknown>(JSON.parse(text)));
      for (const [k, raw] of map) want.set(k, JSON.parse(raw));
      assert.deepEqual(new Map(Object.entries(JSON.parse(edited.toString()))), want);
      const kept = (bytes: Buffer) =>
        topLevelMembers(bytes)
          .filter((it) => !map.has(it.key))
          .map((it) => [it.key, bytes.toString("latin1", it.start, it.end)]);
      assert.deepEqual(kept(edited), kept(body));
      assert.deepEqual(editTopLevel(edited, map), edited);
    }),
    { numRuns: 500 },
  );
});

test("the bytes of a member are those that JSON.parse reads", () => {
  fc.assert(
    fc.property(object, name, (text, wanted) => {
      const bytes = memberBytes(Buffer.from(text), wanted);
      const parsed = new Map(Object.entries<unknown>(JSON.parse(text)));
      assert.equal(bytes !== undefined, parsed.has(wanted));
      if (bytes !== undefined) assert.deepEqual(JSON.parse(bytes.toString()), parsed.get(wanted));
    }),
  );
});
