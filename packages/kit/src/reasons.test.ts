import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import { allReasons, isReason, reasonAnswer } from "./reasons.ts";

test("every reason has a code, a status, and both languages", () => {
  assert(allReasons().length > 30);
  for (const reason of allReasons()) {
    const answer = reasonAnswer(reason);
    assert(answer.en.length > 5 && answer.zh.length > 2, reason);
    assert(answer.codeNumber >= 1 && answer.codeNumber <= 16, reason);
    assert(answer.httpStatus >= 400 && answer.httpStatus <= 599, reason);
    assert.equal(answer.number, ErrorReason[reason]);
  }
});

test("numbers are unique and lie in the range of their owner", () => {
  const numbers = allReasons().map((reason) => reasonAnswer(reason).number);
  assert.equal(new Set(numbers).size, numbers.length);
  for (const number of numbers) {
    const owner = Math.trunc(number / 10_000);
    assert(Math.trunc(number / 1000) === 9 || (owner >= 1 && owner <= 4), String(number));
  }
});

test("the zero value and foreign names are no reasons", () => {
  assert.deepEqual(["UNSPECIFIED", "toString", "NEWER"].map(isReason), [false, false, false]);
});

test("docs/errors.md lists every reason as the contract has it", () => {
  const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  const rows = page.split("\n").filter((line) => /^\| \d/.test(line));
  const listed = rows.map((row) => row.split(" | ").slice(0, 4).join(" | "));
  const known = allReasons().map((reason) => {
    const { number, httpStatus, code } = reasonAnswer(reason);
    return `| ${number} | \`${reason}\` | ${httpStatus} | \`${code}\``;
  });
  assert.deepEqual(listed, known);
});
