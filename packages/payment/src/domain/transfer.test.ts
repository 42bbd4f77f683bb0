import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PaymentState } from "./payment.ts";
import {
  decideApproval,
  decideProposal,
  normalReference,
  type Transfer,
  transferCode,
} from "./transfer.ts";

it("a transfer's code is made of letters that are told apart", () => {
  assert.equal(
    transferCode(Uint8Array.from([0, 9, 10, 17, 18, 31, 32, 255, 63, 20])),
    "FB-09AHJ-Z0ZZM",
  );
  assert.throws(() => transferCode(new Uint8Array(9)));
});

describe("a bank's reference", () => {
  for (const [text, reference] of [
    ["AB12", "AB12"],
    [" ab 12 ", "AB12"],
    ["A\u00a0B\t1\n2", "AB12"],
    ["\uff21\uff22\uff11\uff12", "AB12"],
    ["ab\u200b12\ufeff", "AB12"],
    ["stra\u00dfe", "STRASSE"],
    ["cafe\u0301", "CAF\u00c9"],
    ["A-B/12", "A-B/12"],
    ["x".repeat(128), "X".repeat(128)],
    ["x".repeat(129), undefined],
    ["\u00df".repeat(65), undefined],
    ["", undefined],
    [" \u200b ", undefined],
  ] as const) {
    it(`${JSON.stringify(text.slice(0, 16))} is compared as ${reference?.slice(0, 16)}`, () => {
      assert.equal(normalReference(text), reference);
    });
  }
});

const proposed: Transfer = {
  paymentId: "p",
  amount: 10n,
  bankReference: "R",
  proposedBy: "ann",
  proposeTimeMs: 0,
  approvedBy: "",
};
const approved = { ...proposed, approvedBy: "bob" };
const same = { amount: 10n, bankReference: "R" };
const other = { amount: 11n, bankReference: "R" };

describe("a proposal", () => {
  const rows: readonly [
    PaymentState,
    Transfer | undefined,
    typeof same,
    ReturnType<typeof decideProposal>,
  ][] = [
    ["PENDING", undefined, same, "WRITE"],
    ["EXPIRED", undefined, same, "WRITE"],
    ["CREATED", undefined, same, "WRONG_STATE"],
    ["UNKNOWN", undefined, same, "WRONG_STATE"],
    ["FAILED", undefined, same, "WRONG_STATE"],
    ["PAID", undefined, same, "WRONG_STATE"],
    ["PARKED", undefined, same, "WRONG_STATE"],
    ["PENDING", proposed, same, "KEEP"],
    ["PENDING", proposed, other, "WRITE"],
    ["PENDING", proposed, { ...same, bankReference: "S" }, "WRITE"],
    ["PENDING", approved, other, "WRONG_STATE"],
    ["PAID", approved, same, "KEEP"],
    ["PAID", approved, other, "WRONG_STATE"],
  ];
  for (const [state, known, said, decision] of rows) {
    const before = known === undefined ? "nothing" : known.approvedBy ? "approved" : "proposed";
    it(`of ${said.amount} by ${said.bankReference} for ${state}, ${before} before: ${decision}`, () => {
      assert.equal(decideProposal({ state }, known, said), decision);
    });
  }
});

describe("an approval", () => {
  const bob = { ...same, person: "bob" };
  const rows = [
    ["of nothing", undefined, bob, "NOTHING_PROPOSED"],
    ["in the same words by another person", proposed, bob, "APPROVE"],
    ["by whoever proposed it", proposed, { ...same, person: "ann" }, "SAME_PERSON"],
    ["of another amount", proposed, { ...bob, amount: 11n }, "OTHER_AMOUNT"],
    ["of another reference", proposed, { ...bob, bankReference: "S" }, "OTHER_REFERENCE"],
    ["again", approved, bob, "APPROVED_ALREADY"],
    ["again by whoever proposed it", approved, { ...same, person: "ann" }, "APPROVED_ALREADY"],
    ["of what was approved, in other words", approved, { ...bob, amount: 1n }, "OTHER_AMOUNT"],
  ] as const;
  for (const [when, known, said, decision] of rows) {
    it(`${when}: ${decision}`, () => assert.equal(decideApproval(known, said), decision));
  }
});
