import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  createUuids,
  formatId,
  looksLikeKey,
  newUuid,
  newUuidText,
  parseId,
  secret,
} from "./ids.ts";

test("ids strictly increase, whatever the clock does", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 300 }), (steps) => {
      let now = 1_800_000_000_000;
      const next = createUuids(() => now);
      let last = next();
      for (const step of steps) {
        now += step;
        const id = next();
        assert(Buffer.compare(last, id) < 0);
        last = id;
      }
    }),
  );
});

test("an id is a UUIDv7 of its millisecond", () => {
  const id = createUuids(() => 1_800_000_000_123)();
  assert.equal(Buffer.from(id).readUIntBE(0, 6), 1_800_000_000_123);
  assert.equal((id[6] ?? 0) >>> 4, 7);
  assert.equal((id[8] ?? 0) >>> 6, 2);
  assert.match(
    newUuidText(),
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

test("a hundred thousand ids of one process differ", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 100_000; i += 1) seen.add(newUuid().toString("hex"));
  assert.equal(seen.size, 100_000);
});

test("an id reads back as it was written", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      assert.deepEqual(parseId("acc", formatId("acc", bytes)), Buffer.from(bytes));
    }),
  );
});

// biome-ignore format: a decision table is read by column
const malformed: [name: string, text: string][] = [
  ["another prefix",  `key_${"0".repeat(32)}`],
  ["capitals",        `acc_${"A".repeat(32)}`],
  ["no hex",          `acc_${"g".repeat(32)}`],
  ["too short",       `acc_${"0".repeat(31)}`],
  ["too long",        `acc_${"0".repeat(33)}`],
  ["no underscore",   `accx${"0".repeat(32)}`],
  ["nothing",         ""],
];

for (const [name, text] of malformed) {
  test(`refuses an id with ${name}`, () => assert.equal(parseId("acc", text), undefined));
}

test("a secret is recognised, and one changed letter is not", () => {
  const key = secret("fbx");
  assert.match(key, /^fbx_[0-9A-Za-z]{49}$/);
  assert(looksLikeKey(key));
  assert(!looksLikeKey(key, "other"));
  for (let i = 4; i < key.length; i += 1) {
    const letter = key[i] === "a" ? "b" : "a";
    assert(!looksLikeKey(key.slice(0, i) + letter + key.slice(i + 1)), `at ${i}`);
  }
  assert.notEqual(secret("fbx"), key);
});
