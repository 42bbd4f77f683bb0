import assert from "node:assert/strict";
import { it } from "node:test";
import { transferCode } from "./transfer.ts";

it("a transfer's code is made of letters that are told apart", () => {
  assert.equal(
    transferCode(Uint8Array.from([0, 9, 10, 17, 18, 31, 32, 255, 63, 20])),
    "FB-09AHJ-Z0ZZM",
  );
  assert.throws(() => transferCode(new Uint8Array(9)));
});
