import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createPageTokens } from "./page-token.ts";

const keys = ["0123456789abcdef"];
const refused = { reason: "PAGE_TOKEN_INVALID" };

test("a token reads back for the query it was made for, however that is put together", () => {
  const tokens = createPageTokens(keys);
  const token = tokens.write({ accountId: "acc_1", end: 5n }, ["2026-11-21", 7]);
  assert.deepEqual(tokens.read({ end: 5n, accountId: "acc_1" }, token), ["2026-11-21", 7]);
  assert.equal(tokens.read({}, ""), undefined);
});

test("a token is refused for any other query", () => {
  const tokens = createPageTokens(keys);
  const token = tokens.write({ accountId: "acc_1" }, [1]);
  assert.throws(() => tokens.read({ accountId: "acc_2" }, token), refused);
  assert.throws(() => tokens.read({ accountId: "acc_1", model: "m" }, token), refused);
});

test("an altered or invented token is refused", () => {
  const tokens = createPageTokens(keys);
  const token = tokens.write({}, ["abc", 1]);
  fc.assert(
    fc.property(
      fc.nat(token.length - 1),
      fc.constantFrom("A", "z", "_", "=", "é"),
      (at, letter) => {
        fc.pre(token[at] !== letter);
        assert.throws(
          () => tokens.read({}, token.slice(0, at) + letter + token.slice(at + 1)),
          refused,
        );
      },
    ),
  );
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (text) => {
      assert.throws(() => tokens.read({}, text), refused);
    }),
  );
});

test("keys rotate: the old one still verifies, a foreign one never", () => {
  const old = createPageTokens(keys).write({}, [1]);
  assert.deepEqual(createPageTokens(["fedcba9876543210", ...keys]).read({}, old), [1]);
  assert.throws(() => createPageTokens(["fedcba9876543210"]).read({}, old), refused);
  assert.throws(() => createPageTokens([]));
  assert.throws(() => createPageTokens(["short"]));
});
