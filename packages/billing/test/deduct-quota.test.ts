import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import { noUsage } from "@farebox/pricing/usage";
import type { Charge } from "../src/domain/charge-check.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { assertConserved } from "./support/assert-conserved.ts";
import {
  demoPrice,
  type MoneyRoom,
  newCharge,
  openMoneyRoom,
  storeDemoPrice,
} from "./support/money-room.ts";

let database: TestDatabase;
let room: MoneyRoom;

before(async () => {
  database = await openBillingDatabase();
  await storeDemoPrice(database.pool);
  room = openMoneyRoom(database.pool);
});
after(async () => {
  await assertConserved(database.pool);
  await database[Symbol.asyncDispose]();
});

test("charges one of 50 equal charges in parallel, and answers all 50 with what was charged", async () => {
  const accountId = await room.account(1_000n);
  const other = openMoneyRoom(database.pool);
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      (index % 2 === 0 ? room : other).deduct(accountId, [newCharge("one and the same", 70n)]),
    ),
  );
  const outcomes = answers.flatMap((answer) => answer.outcomes);
  assert.equal(outcomes.filter((outcome) => outcome.status === "APPLIED").length, 1);
  assert.equal(outcomes.filter((outcome) => outcome.status === "DUPLICATE").length, 49);
  assert.deepEqual(new Set(outcomes.map((outcome) => outcome.charged)), new Set([70n]));
  assert.equal(new Set(outcomes.map((outcome) => outcome.transactionId)).size, 1);
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 930n, spent: 70n });
});

test("rejects a charge whose id ends with a space, which MySQL takes for the id without it, and applies the others", async () => {
  const accountId = await room.account(1_000n);
  const { outcomes } = await room.deduct(accountId, [
    newCharge("padded", 3n),
    newCharge("padded ", 5n),
    newCharge("next", 7n),
  ]);
  assert.deepEqual(
    outcomes.map(({ status, field }) => ({ status, field })),
    [
      { status: "APPLIED", field: "" },
      { status: "REJECTED", field: "request_id" },
      { status: "APPLIED", field: "" },
    ],
  );
  assert.partialDeepStrictEqual(await room.balance(accountId), { spent: 10n });
});

test("applies 999 of a thousand charges and names the poisoned one", async () => {
  const accountId = await room.account(10_000n);
  const charges = Array.from({ length: 1000 }, (_, index) => newCharge(`charge ${index}`, 3n));
  charges[321] = newCharge("charge 321", -3n);
  const { outcomes, balance } = await room.deduct(accountId, charges);
  assert.equal(outcomes.filter((outcome) => outcome.status === "APPLIED").length, 999);
  assert.partialDeepStrictEqual(outcomes[321], {
    requestId: "charge 321",
    status: "REJECTED",
    reason: "INVALID_ARGUMENT",
    field: "amount",
    charged: 0n,
  });
  assert.equal(balance.spent, 999n * 3n);
});

test("rejects each charge that is not valid, by reason and field", async () => {
  const accountId = await room.account(100n);
  const usage = { ...noUsage, inputTokens: 5 };
  const unset = { amount: undefined };
  // biome-ignore format: a table is read by column
  const cases: [name: string, charge: Charge, reason: string, field: string][] = [
    ["no id",                 newCharge("", 1n),                                            "INVALID_ARGUMENT",  "request_id"],
    ["an id of control",      newCharge("a\nb", 1n),                                        "INVALID_ARGUMENT",  "request_id"],
    ["an id too long",        newCharge("x".repeat(129), 1n),                               "INVALID_ARGUMENT",  "request_id"],
    ["a huge amount",         newCharge("a", 9_000_000_000_000_000_001n),                   "INVALID_ARGUMENT",  "amount"],
    ["an amount too many",    newCharge("b", 9_000_000_000_000_000_000n),                   "USAGE_ABSURD",      "cost_nanos"],
    ["another currency",      newCharge("c", 1n, { amount: { currencyCode: "EUR", nanos: 1n } }), "CURRENCY_MISMATCH", "amount.currency_code"],
    ["no amount and usage",   newCharge("d", 1n, unset),                                    "INVALID_ARGUMENT",  "amount"],
    ["usage of no provider",  newCharge("e", 1n, { ...unset, usage, model: "demo-1" }),     "INVALID_ARGUMENT",  "provider"],
    ["usage of no model",     newCharge("f", 1n, { ...unset, usage, provider: "demo" }),    "INVALID_ARGUMENT",  "model"],
    ["a model without price", newCharge("g", 1n, { ...unset, usage, provider: "demo", model: "x" }), "MODEL_NOT_PRICED", "model"],
    ["negative usage",        newCharge("h", 1n, { usage: { ...usage, images: -1 } }),      "INVALID_ARGUMENT",  "usage.images"],
    ["negative units",        newCharge("i", 1n, { units: -1 }),                            "INVALID_ARGUMENT",  "units"],
    ["a key with an umlaut",  newCharge("j", 1n, { apiKeyId: "schlüssel" }),                "INVALID_ARGUMENT",  "api_key_id"],
    ["too many tags",         newCharge("k", 1n, { tags: new Array(17).fill("a=b") }),      "INVALID_ARGUMENT",  "tags"],
  ];
  const { outcomes } = await room.deduct(
    accountId,
    cases.map(([, charge]) => charge),
  );
  assert.deepEqual(
    outcomes.map(({ status, reason, field }) => [status, reason, field]),
    cases.map(([, , reason, field]) => ["REJECTED", reason, field]),
  );
  assert.equal(await room.count(`usage_transaction WHERE account_id = '${accountId}'`), 0);
});

test("refuses a charge whose id was used for another, and a rejected one may come again mended", async () => {
  const accountId = await room.account(100n);
  await room.deduct(accountId, [newCharge("id", 5n)]);
  const again = await room.deduct(accountId, [
    newCharge("id", 6n),
    newCharge("id", 5n),
    newCharge("new", -1n),
    newCharge("twice", 1n),
    newCharge("twice", 1n),
    newCharge("twice", 2n),
  ]);
  assert.deepEqual(
    again.outcomes.map(({ status, reason, charged }) => [status, reason, charged]),
    [
      ["REJECTED", "REQUEST_ID_REUSED", 0n],
      ["DUPLICATE", undefined, 5n],
      ["REJECTED", "INVALID_ARGUMENT", 0n],
      ["APPLIED", undefined, 1n],
      ["DUPLICATE", undefined, 1n],
      ["REJECTED", "REQUEST_ID_REUSED", 0n],
    ],
  );
  const mended = await room.deduct(accountId, [newCharge("new", 1n)]);
  assert.equal(mended.outcomes[0]?.status, "APPLIED");
});

test("prices a usage when no amount is stated, and writes which prices it used", async () => {
  const accountId = await room.account(100n);
  const usage = { ...noUsage, inputTokens: 7, outputTokens: 3, requests: 1 };
  const charge = newCharge("p", 0n, {
    amount: undefined,
    usage,
    provider: "demo",
    model: "demo-1",
  });
  const { outcomes } = await room.deduct(accountId, [charge]);
  assert.partialDeepStrictEqual(outcomes[0], { status: "APPLIED", charged: 10n });
  const rows = await room.count(
    `usage_transaction WHERE account_id = '${accountId}' AND price_snapshot_id = x'${demoPrice.snapshotId}' AND input_tokens = 7`,
  );
  assert.equal(rows, 1);
});

test("charges above the lease, closes it, and answers LATE afterwards", async () => {
  const accountId = await room.account(100n);
  const answer = await room.ask(accountId, { estimated: 10n });
  assert(answer.kind === "grant");
  const leaseId = answer.lease.id;
  const first = await room.deduct(accountId, [newCharge("a", 12n)], { leaseId, close: true });
  assert.equal(first.outcomes[0]?.status, "APPLIED");
  assert.partialDeepStrictEqual(first.balance, { available: 88n, held: 0n, spent: 12n });
  const again = await room.deduct(accountId, [newCharge("a", 12n)], { leaseId, close: true });
  assert.equal(again.outcomes[0]?.status, "DUPLICATE");
  assert.deepEqual(again.balance, first.balance);
  const late = await room.deduct(accountId, [newCharge("b", 1n)], { leaseId });
  assert.equal(late.outcomes[0]?.status, "LATE");
  await assert.rejects(room.deduct(accountId, [newCharge("c", 1n)], { leaseId: "a".repeat(32) }), {
    reason: "LEASE_NOT_FOUND",
  });
  await assert.rejects(room.deduct("acc_nobody", [newCharge("c", 1n)]), {
    reason: "ACCOUNT_NOT_FOUND",
  });
});

test("keeps the charges when closing has to wait for more", async () => {
  const accountId = await room.account(100n);
  const answer = await room.ask(accountId, { estimated: 10n });
  assert(answer.kind === "grant");
  const more = { leaseId: answer.lease.id, close: true, finalTotal: 9n };
  await assert.rejects(room.deduct(accountId, [newCharge("a", 5n)], more), {
    reason: "JOURNAL_BEHIND",
  });
  assert.partialDeepStrictEqual(await room.balance(accountId), { held: 5n, spent: 5n });
  const { outcomes } = await room.deduct(accountId, [newCharge("a", 5n), newCharge("b", 4n)], more);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status),
    ["DUPLICATE", "APPLIED"],
  );
  assert.partialDeepStrictEqual(await room.balance(accountId), { available: 91n, held: 0n });
});

test("charges nothing for work on a lease of free units, and burns the units", async () => {
  await database.pool.query(
    "REPLACE INTO free_quota_rule VALUES ('gratis', 'TOTAL', 'REQUESTS', 2, NOW(3))",
  );
  const accountId = await room.account(100n);
  const ask = { service: "gratis", estimated: 10n };
  const answer = await room.ask(accountId, ask);
  assert(answer.kind === "grant" && answer.addedUnits === 1n && answer.added === 0n);
  const { outcomes } = await room.deduct(accountId, [newCharge("free", 10n)], {
    leaseId: answer.lease.id,
    close: true,
  });
  assert.partialDeepStrictEqual(outcomes[0], { status: "APPLIED", charged: 0n });
  assert.equal(
    await room.count(`free_quota_period WHERE account_id = '${accountId}' AND units_used = 1`),
    1,
  );
  await room.ask(accountId, ask);
  const paid = await room.ask(accountId, ask);
  assert(paid.kind === "grant" && paid.addedUnits === 0n && paid.added === 10n);
});
