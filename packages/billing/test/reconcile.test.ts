import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newUuid } from "@farebox/kit/ids";
import type { PoolConnection } from "@farebox/kit/mysql";
import { fakeClock } from "@farebox/kit/testing/clock";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import type { RowDataPacket } from "mysql2/promise";
import type { Drift } from "../src/domain/account-laws.ts";
import { createKeepReconciled } from "../src/operations/keep-reconciled.ts";
import { reconcileAccounts } from "../src/operations/reconcile-accounts.ts";
import { runReconciliation } from "../src/operations/run-reconciliation.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { type SoundAccount, writeSoundAccount } from "./sound-account.ts";

const clock = fakeClock(Date.now());
const signal = new AbortController().signal;
let database: TestDatabase;
before(async () => {
  database = await openBillingDatabase();
});
after(() => database[Symbol.asyncDispose]());

const deps = () => ({ pool: database.pool, clock, retentionDays: 90 });

/** Writes what no program could: the schema's own checks are off. */
async function corrupt(write: (db: PoolConnection) => Promise<unknown>): Promise<void> {
  const db = await database.pool.getConnection();
  try {
    await db.query("SET SESSION check_constraint_checks = 0");
    await write(db);
  } finally {
    db.destroy();
  }
}

type Corruption = (account: SoundAccount) => readonly [sql: string, values: readonly unknown[]];
const ofAccount =
  (sql: string): Corruption =>
  ({ accountId }) => [sql, [accountId]];

// biome-ignore format: a decision table is read by column
const cases: [name: string, corruption: Corruption, laws: readonly string[]][] = [
  ["nothing",                            () => ["DO 1", []],                                                                        []],
  ["money out of nothing",               ofAccount("UPDATE balance SET available = available + 1 WHERE account_id = ?"),            ["balance_conserved", "ledger_ends_in_funds", "ledger_equals_balance"]],
  ["a balance below zero",               ofAccount("UPDATE balance SET available = -1, held = 671 WHERE account_id = ?"),           ["balance_not_negative", "held_equals_leases"]],
  ["debt beside money",                  ofAccount("UPDATE balance SET available = available + 5, receivable = 5 WHERE account_id = ?"), ["balance_debt_first"]],
  ["money held by no lease",             ofAccount("UPDATE balance SET available = available - 7, held = held + 7 WHERE account_id = ?"), ["held_equals_leases"]],
  ["a lease closed without its money",   ({ accountId, suspect }) => ["UPDATE lease SET state = 'CLOSED' WHERE account_id = ? AND id = ?", [accountId, suspect]], ["held_equals_leases", "open_leases_counted", "ended_leases_hold_nothing"]],
  ["a lease that granted more",          ({ accountId, open }) => ["UPDATE lease SET granted = granted + 1 WHERE account_id = ? AND id = ?", [accountId, open]], ["held_equals_leases"]],
  ["a lost lease",                       ({ accountId, open }) => ["DELETE FROM lease WHERE account_id = ? AND id = ?", [accountId, open]], ["held_equals_leases", "open_leases_counted", "units_held_equal_leases", "dead_letters_equal_leases"]],
  ["a miscounted lease",                 ofAccount("UPDATE balance SET open_leases = 3 WHERE account_id = ?"),                      ["open_leases_counted"]],
  ["a miscounted grant",                 ofAccount("UPDATE balance SET open_grants = 0 WHERE account_id = ?"),                      ["open_grants_counted"]],
  ["a grant that does not add up",       ofAccount("UPDATE credit_grant SET used = used + 1 WHERE account_id = ?"),                 ["grants_add_up", "grant_terms"]],
  ["more credit than funds",             ofAccount("UPDATE credit_grant SET remaining = 651, used = 299 WHERE account_id = ?"),     ["grants_within_funds"]],
  ["a grant that the ledger lacks",      ofAccount("UPDATE credit_grant SET amount = amount + 1, used = used + 1 WHERE account_id = ?"), ["ledger_grants_equal_grants"]],
  ["an expiry that the ledger lacks",    ofAccount("UPDATE credit_grant SET expired = expired + 1, used = used - 1 WHERE account_id = ?"), ["ledger_expiry_equals_grants"]],
  ["a lost ledger entry",                ofAccount("DELETE FROM ledger_entry WHERE account_id = ? AND kind = 'USAGE' LIMIT 1"),     ["ledger_equals_balance", "ledger_usage_equals_spent"]],
  ["an altered ledger entry",            ofAccount("UPDATE ledger_entry SET amount = amount - 1 WHERE account_id = ? AND kind = 'GRANT'"), ["ledger_equals_balance", "ledger_grants_equal_grants"]],
  ["an end of the ledger that lies",     ofAccount("UPDATE ledger_entry SET balance_after = 601 WHERE account_id = ? AND kind = 'RECHARGE_REINSTATED'"), ["ledger_ends_in_funds"]],
  ["a lost transaction",                 ({ accountId, suspect }) => ["DELETE FROM usage_transaction WHERE account_id = ? AND lease_id = ?", [accountId, suspect]], ["lease_settled_equals_transactions", "transactions_equal_rollup"]],
  ["a lost late transaction",            ofAccount("DELETE FROM usage_late WHERE account_id = ?"),                                  ["lease_settled_equals_transactions", "transactions_equal_rollup"]],
  ["a transaction that cost more",       ({ accountId, open }) => ["UPDATE usage_transaction SET cost = cost + 1 WHERE account_id = ? AND lease_id = ?", [accountId, open]], ["transactions_equal_rollup"]],
  ["a transaction paid by its lease twice", ({ accountId, open }) => ["UPDATE usage_transaction SET from_lease = 600 WHERE account_id = ? AND lease_id = ?", [accountId, open]], ["lease_settled_equals_transactions"]],
  ["a rollup that lies",                 ofAccount("UPDATE usage_hourly SET cost = cost + 1 WHERE account_id = ?"),                 ["rollup_equals_spent", "transactions_equal_rollup"]],
  ["a lost rollup",                      ofAccount("DELETE FROM usage_hourly WHERE account_id = ?"),                                ["rollup_equals_spent", "transactions_equal_rollup"]],
  ["an attempt too many in a rollup",    ofAccount("UPDATE usage_hourly SET attempts = 4 WHERE account_id = ?"),                     ["transactions_equal_rollup"]],
  ["units out of nothing",               ofAccount("UPDATE free_quota_period SET units_available = units_available + 1 WHERE account_id = ?"), ["units_conserved"]],
  ["units held by no lease",             ofAccount("UPDATE free_quota_period SET units_available = 59, units_held = 11 WHERE account_id = ?"), ["units_held_equal_leases"]],
  ["a dead letter without its money",    ofAccount("UPDATE settlement_dead_letter SET held = 0 WHERE account_id = ?"),              ["held_equals_leases", "dead_letters_equal_leases"]],
  ["a dead letter closed without its money", ofAccount("UPDATE settlement_dead_letter SET state = 'VOIDED' WHERE account_id = ?"),  ["held_equals_leases", "dead_letters_equal_leases"]],
  ["an order credited without an entry",  ofAccount("UPDATE recharge_order SET amount = amount + 1, credited = credited + 1 WHERE account_id = ?"), ["ledger_recharges_equal_orders"]],
  ["a lost order",                       ofAccount("DELETE FROM recharge_order WHERE account_id = ?"),                              ["ledger_recharges_equal_orders", "recharges_reserved_equal_reversals", "recharges_reversed_equal_reversals"]],
  ["a refund that its order lacks",      ofAccount("UPDATE recharge_order SET reversed = reversed - 1 WHERE account_id = ?"),       ["ledger_recharges_equal_orders", "recharges_reversed_equal_reversals"]],
  ["a reservation that its order lacks", ofAccount("UPDATE recharge_order SET reserved = reserved - 1 WHERE account_id = ?"),       ["recharges_reserved_equal_reversals"]],
  ["a reservation released without its money", ofAccount("UPDATE recharge_reversal SET state = 'RELEASED' WHERE account_id = ? AND state = 'RESERVED'"), ["held_equals_leases", "recharges_reserved_equal_reversals"]],
  ["a lost refund",                      ofAccount("DELETE FROM recharge_reversal WHERE account_id = ? AND state = 'REVERSED'"),    ["recharges_reversed_equal_reversals"]],
  ["a recharge that only the ledger has", ofAccount("DELETE FROM ledger_entry WHERE account_id = ? AND kind = 'RECHARGE_REVERSED'"), ["ledger_equals_balance", "ledger_recharges_equal_orders"]],
];

for (const [name, corruption, laws] of cases) {
  test(
    laws.length === 0 ? "finds nothing in a sound account" : `finds ${name}: ${laws.join(", ")}`,
    async () => {
      const account = await writeSoundAccount(database.pool);
      const [sql, values] = corruption(account);
      await corrupt((db) => db.query(sql, [...values]));
      const report = await runReconciliation(deps(), { accountId: account.accountId, signal });
      assert.deepEqual(new Set(report.drifts.map((drift) => drift.law)), new Set(laws));
      assert.deepEqual([report.accountsCount, report.driftsCount], [1, report.drifts.length]);
      await corrupt(async (db) => {
        for (const table of moneyTables)
          await db.query("DELETE FROM ?? WHERE account_id = ?", [table, account.accountId]);
      });
    },
  );
}

const moneyTables = [
  "balance",
  "credit_grant",
  "ledger_entry",
  "lease",
  "free_quota_period",
  "settlement_dead_letter",
  "usage_transaction",
  "usage_late",
  "usage_hourly",
  "recharge_order",
  "recharge_reversal",
];

test("states what is wrong, where, and by how much", async () => {
  const { accountId, open } = await writeSoundAccount(database.pool);
  await corrupt((db) =>
    db.query(
      "UPDATE usage_transaction SET from_lease = 250 WHERE account_id = ? AND lease_id = ?",
      [accountId, open],
    ),
  );
  const report = await runReconciliation(deps(), { accountId: "", signal });
  assert.deepEqual(report.drifts, [
    {
      accountId,
      law: "lease_settled_equals_transactions",
      subject: open.toString("hex"),
      expected: 300n,
      actual: 250n,
    },
  ]);
  await corrupt((db) =>
    db.query(
      "UPDATE usage_transaction SET from_lease = 300 WHERE account_id = ? AND lease_id = ?",
      [accountId, open],
    ),
  );
});

test("keeps the gauge up until what is wrong has been mended, however deep it lies", async () => {
  const { accountId } = await writeSoundAccount(database.pool);
  const gauge: number[] = [];
  const found: Drift[] = [];
  let passes = 0;
  const keepReconciled = createKeepReconciled({
    ...deps(),
    events: {
      driftsFound: (drifts) => void found.push(...drifts),
      reconciled: (driftsCount) => void gauge.push(driftsCount),
      deadLettersCounted: () => undefined,
      passEnded: () => {
        passes += 1;
      },
    },
  });
  const change = (amount: number) =>
    corrupt((db) =>
      db.query(
        "UPDATE ledger_entry SET amount = amount + ? WHERE account_id = ? AND kind = 'USAGE' LIMIT 1",
        [amount, accountId],
      ),
    );
  await keepReconciled(signal);
  await change(1);
  await keepReconciled(signal);
  await keepReconciled(signal);
  await change(-1);
  await keepReconciled(signal);
  assert.deepEqual(gauge, [0, 2, 2, 0]);
  assert.equal(passes, 4, "few accounts: each run proves all of them");
  assert.deepEqual(
    new Set(found.map((drift) => drift.law)),
    new Set(["ledger_equals_balance", "ledger_usage_equals_spent"]),
  );
});

test("proves no account of a page whose drifts may have been cut: not all who drift may be named", async () => {
  const drifting = await writeSoundAccount(database.pool);
  const sound = await writeSoundAccount(database.pool);
  const accountIds = [drifting.accountId, sound.accountId];
  const grants = Array.from({ length: 1_000 }, () => [drifting.accountId, newUuid()]);
  const row = "(?, ?, 'PROMOTION', 1, 5, 0, 4, 0, NOW(3))";
  await corrupt((db) =>
    db.query(
      `INSERT INTO credit_grant (account_id, id, kind, priority, amount, remaining, used, expired, create_time)
       VALUES ${grants.map(() => row).join(",")}`,
      grants.flat(),
    ),
  );
  const look = async () => {
    const { drifts, isWhole } = await reconcileAccounts(deps(), { accountIds, isDeep: true });
    const terms = drifts.filter(({ law }) => law === "grant_terms").length;
    const events = {
      ...{ driftsFound: () => undefined, reconciled: () => undefined },
      ...{ deadLettersCounted: () => undefined, passEnded: () => undefined },
    };
    await createKeepReconciled({ ...deps(), events })(signal);
    const [proved] = await database.pool.query<RowDataPacket[]>(
      "SELECT account_id FROM account_proof WHERE account_id IN (?)",
      [accountIds],
    );
    return { terms, isWhole, proved: proved.map((proof) => proof.account_id) };
  };
  assert.deepEqual(await look(), { terms: 1_000, isWhole: false, proved: [] });
  await database.pool.query("DELETE FROM credit_grant WHERE id = ?", [grants[0]?.[1]]);
  assert.deepEqual(await look(), { terms: 999, isWhole: true, proved: [sound.accountId] });
});
