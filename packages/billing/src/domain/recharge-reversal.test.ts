import assert from "node:assert/strict";
import { test } from "node:test";
import type { RechargeOrder } from "./recharge-order.ts";
import {
  decideReinstate,
  decideReserve,
  decideReverse,
  type RechargeReversal,
  type RefundFunds,
  type ReinstateDecision,
  type ReserveDecision,
  type ReversalKind,
  type ReversalState,
  type ReverseDecision,
} from "./recharge-reversal.ts";

const order: RechargeOrder = {
  state: "CREDITED",
  amount: 100n,
  currencyCode: "USD",
  paymentId: "p1",
  credited: 100n,
  reversed: 0n,
  reserved: 0n,
};
const funds: RefundFunds = { available: 100n, held: 0n, reserved: 0n, grantsRemaining: 0n };
const known = (state: ReversalState, kind: ReversalKind = "REFUND"): RechargeReversal => ({
  kind,
  state,
  asked: 40n,
  amount: 40n,
});
const exceeds = (refundable: bigint): ReserveDecision => ({
  kind: "REFUND_EXCEEDS_UNSPENT",
  refundable,
});

// biome-ignore format: a decision table is read by column
const reserves: [name: string, order: Partial<RechargeOrder>, known: RechargeReversal | undefined, funds: Partial<RefundFunds>, amount: bigint, want: ReserveDecision][] = [
  ["reserve: answers a repeat although the money is gone", {}, known("RESERVED"), { available: 0n }, 40n, { kind: "REPEAT" }],
  ["reserve: answers a repeat after its release",  {}, known("RELEASED"),            {}, 40n, { kind: "REPEAT" }],
  ["reserve: refuses another amount of one id",    {}, known("RESERVED"),            {}, 41n, { kind: "REQUEST_ID_REUSED" }],
  ["reserve: refuses the id of a dispute",         {}, known("REVERSED", "DISPUTE"), {}, 40n, { kind: "REQUEST_ID_REUSED" }],
  ["reserve: takes all that is unspent",           {}, undefined, {}, 100n, { kind: "RESERVE" }],
  ["reserve: names what is unspent",               {}, undefined, { available: 70n }, 71n, exceeds(70n)],
  ["reserve: leaves grants their money",           {}, undefined, { grantsRemaining: 30n }, 71n, exceeds(70n)],
  ["reserve: lets leases hold grants first",       {}, undefined, { held: 30n, grantsRemaining: 30n }, 100n, { kind: "RESERVE" }],
  ["reserve: covers no grant by another refund",   {}, undefined, { held: 30n, reserved: 30n, grantsRemaining: 30n }, 71n, exceeds(70n)],
  ["reserve: stops at what the order has left",    { reversed: 20n, reserved: 30n }, undefined, {}, 51n, exceeds(50n)],
  ["reserve: finds nothing in an unpaid order",    { credited: 0n }, undefined, {}, 1n, exceeds(0n)],
];

for (const [name, at, reversal, money, amount, want] of reserves) {
  test(name, () =>
    assert.deepEqual(
      decideReserve({ ...order, ...at }, reversal, { ...funds, ...money }, amount),
      want,
    ),
  );
}

// biome-ignore format: a decision table is read by column
const reverses: [name: string, order: Partial<RechargeOrder>, known: RechargeReversal | undefined, kind: ReversalKind, amount: bigint, want: ReverseDecision][] = [
  ["reverse: answers a repeat as before",            {}, known("REVERSED"),   "REFUND",  40n,  { kind: "REPEAT" }],
  ["reverse: answers a repeat after reinstatement",  {}, known("REINSTATED"), "REFUND",  40n,  { kind: "REPEAT" }],
  ["reverse: refuses another amount of one id",      {}, known("REVERSED"),   "REFUND",  41n,  { kind: "REQUEST_ID_REUSED" }],
  ["reverse: refuses another kind of one id",        {}, known("REVERSED"),   "DISPUTE", 40n,  { kind: "REQUEST_ID_REUSED" }],
  ["reverse: refuses what was released",             {}, known("RELEASED"),   "REFUND",  40n,  { kind: "ORDER_WRONG_STATE" }],
  ["reverse: posts what was reserved",               { reserved: 40n }, known("RESERVED"), "REFUND", 40n, { kind: "POST", amount: 40n }],
  ["reverse: takes what was not reserved",           {}, undefined, "DISPUTE", 60n,  { kind: "TAKE", amount: 60n }],
  ["reverse: takes no more than was paid",           {}, undefined, "DISPUTE", 120n, { kind: "TAKE", amount: 100n }],
  ["reverse: takes what a refund has left",          { reversed: 40n, reserved: 10n }, undefined, "DISPUTE", 100n, { kind: "TAKE", amount: 50n }],
  ["reverse: refuses an order that was not credited", { credited: 0n }, undefined, "DISPUTE", 60n, { kind: "ORDER_WRONG_STATE" }],
];

for (const [name, at, reversal, kind, amount, want] of reverses) {
  test(name, () =>
    assert.deepEqual(decideReverse({ ...order, ...at }, reversal, { kind, amount }), want),
  );
}

// biome-ignore format: a decision table is read by column
const reinstates: [name: string, state: ReversalState, want: ReinstateDecision][] = [
  ["reinstate: answers a repeat of a release",   "RELEASED",   "REPEAT"],
  ["reinstate: answers a repeat of a give-back", "REINSTATED", "REPEAT"],
  ["reinstate: releases what was reserved",      "RESERVED",   "RELEASE"],
  ["reinstate: gives back what was taken",       "REVERSED",   "GIVE_BACK"],
];

for (const [name, state, want] of reinstates) {
  test(name, () => assert.equal(decideReinstate(known(state)), want));
}
