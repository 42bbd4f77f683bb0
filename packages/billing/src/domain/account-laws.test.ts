import assert from "node:assert/strict";
import { test } from "node:test";
import { type AccountSums, judgeAccount } from "./account-laws.ts";

const sound: AccountSums = {
  accountId: "acc_1",
  available: 50n,
  held: 30n,
  spent: 20n,
  credited: 100n,
  receivable: 0n,
  openLeases: 2n,
  openGrants: 1n,
  leases: { count: 2n, holding: 25n },
  deadLetters: { held: 5n },
  grants: { openCount: 1n, amount: 110n, remaining: 80n, used: 20n, expired: 10n },
  recharges: { reserved: 0n, net: 0n },
  hourly: { cost: 20n, attempts: 4n },
  ledgerTail: undefined,
  ledger: { all: 80n, usage: -20n, granted: 110n, expired: -10n, recharged: 0n },
};

test("finds nothing in an account that adds up", () => assert.deepEqual(judgeAccount(sound), []));

test("finds nothing wrong with what it did not look at", () =>
  assert.deepEqual(judgeAccount({ ...sound, ledger: undefined }), []));

// biome-ignore format: a decision table is read by column
const cases: [law: string, change: Partial<AccountSums>, expected: bigint, actual: bigint][] = [
  ["balance_conserved",           { credited: 101n, ledgerTail: undefined },                       101n, 100n],
  ["balance_not_negative",        { available: -1n, receivable: 0n },                              0n,   -1n],
  ["balance_debt_first",          { receivable: 3n, available: 50n },                              0n,   3n],
  ["held_equals_leases",          { leases: { count: 2n, holding: 24n } },                         29n,  30n],
  ["held_equals_leases",          { deadLetters: { held: 6n } },                                   31n,  30n],
  ["held_equals_leases",          { recharges: { reserved: 2n, net: 0n } },                        32n,  30n],
  ["open_leases_counted",         { openLeases: 1n },                                              2n,   1n],
  ["open_grants_counted",         { openGrants: 2n },                                              1n,   2n],
  ["grants_add_up",               { grants: { ...sound.grants, used: 19n } },                      110n, 109n],
  ["grants_within_funds",         { grants: { ...sound.grants, remaining: 81n } },                 80n,  81n],
  ["grants_within_funds",         { recharges: { reserved: 1n, net: 0n } },                        79n,  80n],
  ["rollup_equals_spent",         { hourly: { cost: 21n, attempts: 4n } },                         20n,  21n],
  ["ledger_ends_in_funds",        { ledgerTail: 79n },                                             80n,  79n],
  ["ledger_equals_balance",       { ledger: { all: 81n, usage: -20n, granted: 110n, expired: -10n, recharged: 0n } }, 80n, 81n],
  ["ledger_usage_equals_spent",   { ledger: { all: 80n, usage: -21n, granted: 110n, expired: -10n, recharged: 0n } }, -20n, -21n],
  ["ledger_grants_equal_grants",  { ledger: { all: 80n, usage: -20n, granted: 111n, expired: -10n, recharged: 0n } }, 110n, 111n],
  ["ledger_expiry_equals_grants", { ledger: { all: 80n, usage: -20n, granted: 110n, expired: -11n, recharged: 0n } }, -10n, -11n],
  ["ledger_recharges_equal_orders", { recharges: { reserved: 0n, net: 7n } },                      7n,   0n],
];

for (const [law, change, expected, actual] of cases) {
  test(`names ${law} when ${Object.keys(change).join(" and ")} differ`, () => {
    const found = judgeAccount({ ...sound, ...change }).filter((drift) => drift.law === law);
    assert.deepEqual(found, [{ accountId: "acc_1", law, expected, actual, subject: "" }]);
  });
}
