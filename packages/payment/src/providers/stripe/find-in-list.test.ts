import assert from "node:assert/strict";
import { it } from "node:test";
import { findInList } from "./find-in-list.ts";

async function* upTo(count: number) {
  for (let at = 1; at <= count; at += 1) yield at;
}

const looksFor = (wanted: number, count: number) => findInList(upTo(count), (it) => it === wanted);

it("finds what is there, and is certain of what is not in a list that it saw to its end", async () => {
  assert.equal(await looksFor(7, 9_999), 7);
  assert.equal(await looksFor(0, 9_999), undefined);
  assert.equal(await looksFor(0, 0), undefined);
});

it("is not certain of a list that it did not see to its end", async () => {
  assert.equal(await looksFor(10_000, 20_000), 10_000);
  assert.equal(await looksFor(10_001, 20_000), "UNCERTAIN");
});
