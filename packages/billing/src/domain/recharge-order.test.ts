import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CancelDecision,
  type ConfirmDecision,
  decideCancel,
  decideConfirm,
  type PaidPayment,
  type RechargeOrder,
  type RechargeState,
  stateAfterReversal,
} from "./recharge-order.ts";

const pending: RechargeOrder = {
  state: "PENDING",
  amount: 100n,
  currencyCode: "USD",
  paymentId: undefined,
  credited: 0n,
  reversed: 0n,
  reserved: 0n,
};
const credited: RechargeOrder = { ...pending, state: "CREDITED", paymentId: "p1", credited: 100n };
const paid: PaidPayment = { paymentId: "p1", amount: 100n, currencyCode: "USD" };

// biome-ignore format: a decision table is read by column
const confirms: [name: string, order: RechargeOrder, payment: Partial<PaidPayment>, want: ConfirmDecision][] = [
  ["answers a true repeat as before",                  credited,                             {},                      "REPEAT"],
  ["answers a repeat after a partial refund",          { ...credited, state: "PARTIALLY_REFUNDED" }, {},              "REPEAT"],
  ["answers a repeat after a refund",                  { ...credited, state: "REFUNDED" },   {},                      "REPEAT"],
  ["answers a repeat under dispute",                   { ...credited, state: "DISPUTED" },   {},                      "REPEAT"],
  ["keeps a parked order parked",                      { ...credited, state: "PARKED" },     { amount: 99n },         "REPEAT"],
  ["refuses a second payment of a credited order",     credited,                             { paymentId: "p2" },     "DUPLICATE_RECHARGE"],
  ["refuses another amount of a credited order",       credited,                             { amount: 99n },         "DUPLICATE_RECHARGE"],
  ["refuses another currency of a credited order",     credited,                             { currencyCode: "EUR" }, "DUPLICATE_RECHARGE"],
  ["refuses a second payment of a parked order",       { ...credited, state: "PARKED" },     { paymentId: "p2" },     "DUPLICATE_RECHARGE"],
  ["credits what was asked for",                       pending,                              {},                      "CREDIT"],
  ["credits an order that expired before it was paid", { ...pending, state: "EXPIRED" },     {},                      "CREDIT"],
  ["parks another amount",                             pending,                              { amount: 101n },        "PARK"],
  ["parks another currency",                           pending,                              { currencyCode: "EUR" }, "PARK"],
  ["parks another amount that comes late",             { ...pending, state: "EXPIRED" },     { amount: 99n },         "PARK"],
  ["parks a payment of a cancelled order",             { ...pending, state: "CANCELLED" },   {},                      "PARK"],
  ["parks the payment that was given up and came",     { ...pending, state: "CANCELLED", paymentId: "p1" }, {},       "PARK"],
  ["credits the payment that it waits for",            { ...pending, paymentId: "p1" },      {},                      "CREDIT"],
];

for (const [name, order, payment, want] of confirms) {
  test(name, () => assert.equal(decideConfirm(order, { ...paid, ...payment }), want));
}

// biome-ignore format: a decision table is read by column
const cancels: [name: string, state: RechargeState, want: CancelDecision][] = [
  ["answers a second cancellation as before",  "CANCELLED",          "REPEAT"],
  ["cancels an order that nobody paid",        "PENDING",            "CANCEL"],
  ["cancels an order that expired",            "EXPIRED",            "CANCEL"],
  ["does not cancel what was credited",        "CREDITED",           "ORDER_WRONG_STATE"],
  ["does not cancel what is partly refunded",  "PARTIALLY_REFUNDED", "ORDER_WRONG_STATE"],
  ["does not cancel what was refunded",        "REFUNDED",           "ORDER_WRONG_STATE"],
  ["does not cancel what is disputed",         "DISPUTED",           "ORDER_WRONG_STATE"],
  ["does not cancel what a person decides on", "PARKED",             "ORDER_WRONG_STATE"],
];

for (const [name, state, want] of cancels) {
  test(name, () => assert.equal(decideCancel({ ...pending, state }), want));
}

// biome-ignore format: a decision table is read by column
const states: [name: string, reversed: bigint, disputed: bigint, want: RechargeState][] = [
  ["is credited when all came back",          0n,   0n,  "CREDITED"],
  ["is partly refunded when some is gone",    40n,  0n,  "PARTIALLY_REFUNDED"],
  ["is refunded when all is gone",            100n, 0n,  "REFUNDED"],
  ["is disputed whatever was refunded besides", 100n, 60n, "DISPUTED"],
];

for (const [name, reversed, disputed, want] of states) {
  test(name, () => assert.equal(stateAfterReversal({ ...credited, reversed }, disputed), want));
}
