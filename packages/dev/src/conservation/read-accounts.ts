import { type Books, figure, type Row, text } from "./open-books.ts";

/** Everything that must agree about one account's money, each figure from its own place. Nanos. */
export type AccountBooks = {
  readonly accountId: string;
  readonly available: bigint;
  readonly held: bigint;
  readonly spent: bigint;
  readonly credited: bigint;
  readonly receivable: bigint;
  readonly openLeases: bigint;
  readonly leaseCount: bigint;
  readonly leaseHolding: bigint;
  readonly deadLetterHeld: bigint;
  readonly refundHeld: bigint;
  /** What orders were credited, less what refunds and disputes took back. */
  readonly rechargeNet: bigint;
  readonly ledgerSum: bigint;
  readonly ledgerUsage: bigint;
  readonly ledgerRecharged: bigint;
  readonly transactions: bigint;
  readonly transactionCost: bigint;
  readonly hourlyAttempts: bigint;
  readonly hourlyCost: bigint;
};

/** One lease whose counters must be the sum of its transactions. */
export type LeaseBooks = {
  readonly accountId: string;
  readonly leaseId: string;
  readonly state: string;
  readonly granted: bigint;
  readonly settled: bigint;
  readonly released: bigint;
  readonly deadLettered: bigint;
  /** What its transactions say they took from it. */
  readonly taken: bigint;
};

/** Which accounts are looked at: these, or all. */
export type AccountFilter = { readonly accountIds: readonly string[] | undefined };

/** A WHERE clause for an account column, and its value. */
export function whereAccount(filter: AccountFilter): {
  readonly where: string;
  readonly values: readonly unknown[];
} {
  return filter.accountIds === undefined
    ? { where: "1 = 1", values: [] }
    : { where: "account_id IN (?)", values: [filter.accountIds] };
}

/** All attempts that were ever charged: the days' partitions and what came too late for them. */
export const attemptRows = (columns: string, where: string) =>
  `(SELECT ${columns} FROM usage_transaction WHERE ${where}
    UNION ALL SELECT ${columns} FROM usage_late WHERE ${where}) AS attempts`;

/** Reads the money of the accounts. */
export async function readAccounts(
  books: Books,
  filter: AccountFilter,
): Promise<readonly AccountBooks[]> {
  const { where, values } = whereAccount(filter);
  const by = async (sql: string, binds: readonly unknown[] = values) => {
    const rows = await books.rows(sql, binds);
    const byAccount = new Map(rows.map((row) => [text(row, "account_id"), row]));
    return (accountId: string, column: string) => read(byAccount.get(accountId), column);
  };
  const balances = await books.rows(`SELECT * FROM balance WHERE ${where}`, values);
  const leases = await by(`SELECT account_id, COUNT(*) AS leases,
    SUM(granted - settled - released - dead_lettered) AS holding
    FROM lease WHERE state IN ('OPEN', 'SUSPECT') AND ${where} GROUP BY account_id`);
  const dead = await by(`SELECT account_id, SUM(held) AS held FROM settlement_dead_letter
    WHERE state = 'OPEN' AND ${where} GROUP BY account_id`);
  const refunds = await by(`SELECT account_id, SUM(amount) AS held FROM recharge_reversal
    WHERE state = 'RESERVED' AND ${where} GROUP BY account_id`);
  const orders = await by(`SELECT account_id, SUM(credited - reversed) AS net FROM recharge_order
    WHERE ${where} GROUP BY account_id`);
  const ledger = await by(`SELECT account_id, SUM(amount) AS everything,
    SUM(IF(kind LIKE 'RECHARGE%', amount, 0)) AS recharged,
    SUM(IF(kind = 'USAGE', amount, 0)) AS used FROM ledger_entry WHERE ${where} GROUP BY account_id`);
  const charged = await by(
    `SELECT account_id, COUNT(*) AS attempts, SUM(cost) AS cost
     FROM ${attemptRows("account_id, cost", where)} GROUP BY account_id`,
    [...values, ...values],
  );
  const hourly = await by(`SELECT account_id, SUM(attempts) AS attempts, SUM(cost) AS cost
    FROM usage_hourly WHERE ${where} GROUP BY account_id`);
  return balances.map((row) => {
    const accountId = text(row, "account_id");
    return {
      accountId,
      available: figure(row, "available"),
      held: figure(row, "held"),
      spent: figure(row, "spent"),
      credited: figure(row, "credited"),
      receivable: figure(row, "receivable"),
      openLeases: figure(row, "open_leases"),
      leaseCount: leases(accountId, "leases"),
      leaseHolding: leases(accountId, "holding"),
      deadLetterHeld: dead(accountId, "held"),
      refundHeld: refunds(accountId, "held"),
      rechargeNet: orders(accountId, "net"),
      ledgerSum: ledger(accountId, "everything"),
      ledgerUsage: ledger(accountId, "used"),
      ledgerRecharged: ledger(accountId, "recharged"),
      transactions: charged(accountId, "attempts"),
      transactionCost: charged(accountId, "cost"),
      hourlyAttempts: hourly(accountId, "attempts"),
      hourlyCost: hourly(accountId, "cost"),
    };
  });
}

/** Reads every lease with what its transactions took from it. */
export async function readLeases(
  books: Books,
  filter: AccountFilter,
): Promise<readonly LeaseBooks[]> {
  const { where, values } = whereAccount(filter);
  const taken = new Map<string, bigint>();
  const sums = await books.rows(
    `SELECT account_id, lease_id, SUM(from_lease) AS taken
     FROM ${attemptRows("account_id, lease_id, from_lease", `lease_id IS NOT NULL AND ${where}`)}
     GROUP BY account_id, lease_id`,
    [...values, ...values],
  );
  for (const row of sums) taken.set(text(row, "lease_id"), figure(row, "taken"));
  const leases = await books.rows(
    `SELECT account_id, id, state, granted, settled, released, dead_lettered FROM lease WHERE ${where}`,
    values,
  );
  return leases.map((row) => ({
    accountId: text(row, "account_id"),
    leaseId: text(row, "id"),
    state: text(row, "state"),
    granted: figure(row, "granted"),
    settled: figure(row, "settled"),
    released: figure(row, "released"),
    deadLettered: figure(row, "dead_lettered"),
    taken: taken.get(text(row, "id")) ?? 0n,
  }));
}

function read(row: Row | undefined, column: string): bigint {
  return row === undefined ? 0n : figure(row, column);
}
