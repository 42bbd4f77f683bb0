import type { PoolConnection } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { type AccountSums, fundsOf, type LedgerSums } from "../domain/account-laws.ts";
import type { Queryable } from "./queryable.ts";

/**
 * Reads what the laws of money speak about, for a page of accounts, summed by account. The caller's transaction is one
 * consistent snapshot. `isDeep` also sums the whole ledger, which is long for a busy account.
 */
export async function readAccountSums(
  tx: PoolConnection,
  accountIds: readonly string[],
  isDeep: boolean,
): Promise<AccountSums[]> {
  const balances = await sums(tx, balanceSql, accountIds);
  const leases = await sums(tx, leaseSql, accountIds);
  const deadLetters = await sums(tx, deadLetterSql, accountIds);
  const grants = await sums(tx, grantSql, accountIds);
  const orders = await sums(tx, orderSql, accountIds);
  const reversals = await sums(tx, reversalSql, accountIds);
  const hourly = await sums(tx, hourlySql, accountIds);
  const tails = await sums(tx, tailSql, accountIds);
  const ledgers = isDeep ? await sums(tx, ledgerSql, accountIds) : undefined;
  const accounts: AccountSums[] = [];
  for (const [accountId, balance] of balances) {
    const terms = {
      available: balance("available"),
      held: balance("held"),
      spent: balance("spent"),
      credited: balance("credited"),
      receivable: balance("receivable"),
    };
    const lease = leases.get(accountId) ?? nothing;
    const grant = grants.get(accountId) ?? nothing;
    const rollup = hourly.get(accountId) ?? nothing;
    accounts.push({
      accountId,
      ...terms,
      openLeases: balance("open_leases"),
      openGrants: balance("open_grants"),
      leases: { count: lease("open_count"), holding: lease("holding") },
      deadLetters: { held: (deadLetters.get(accountId) ?? nothing)("held") },
      grants: {
        openCount: grant("open_count"),
        amount: grant("amount"),
        remaining: grant("remaining"),
        used: grant("used"),
        expired: grant("expired"),
      },
      recharges: {
        reserved: (reversals.get(accountId) ?? nothing)("reserved"),
        net: (orders.get(accountId) ?? nothing)("net"),
      },
      hourly: { cost: rollup("cost"), attempts: rollup("attempts") },
      ledgerTail: await disagreeingTail(tx, accountId, fundsOf(terms), tails.get(accountId)),
      ledger: ledgers === undefined ? undefined : ledgerSums(ledgers.get(accountId) ?? nothing),
    });
  }
  return accounts;
}

/**
 * The funds that the newest entry states, unless one of the newest few states the present ones: ids are made before
 * entries are written, so the newest id need not be the entry written last.
 */
async function disagreeingTail(
  tx: PoolConnection,
  accountId: string,
  funds: bigint,
  newest: Sums | undefined,
): Promise<bigint | undefined> {
  if (newest === undefined) return funds === 0n ? undefined : 0n;
  const stated = newest("balance_after");
  if (stated === funds) return undefined;
  const [rows] = await tx.query<RowDataPacket[]>(
    `SELECT 1 FROM (SELECT balance_after FROM ledger_entry WHERE account_id = ? ORDER BY id DESC LIMIT ?) AS tail
     WHERE balance_after = ? LIMIT 1`,
    [accountId, tailLength, funds],
  );
  return rows.length > 0 ? undefined : stated;
}

const tailLength = 200;

const balanceSql = `SELECT account_id, available, held, spent, credited, receivable, open_leases, open_grants
  FROM balance WHERE account_id IN (?)`;
const leaseSql = `SELECT account_id, COUNT(*) AS open_count,
  SUM(granted - settled - released - dead_lettered) AS holding
  FROM lease FORCE INDEX (lease_expiry)
  WHERE state IN ('OPEN', 'SUSPECT') AND account_id IN (?) GROUP BY account_id`;
const deadLetterSql = `SELECT account_id, SUM(held) AS held FROM settlement_dead_letter
  WHERE state = 'OPEN' AND account_id IN (?) GROUP BY account_id`;
const grantSql = `SELECT account_id, SUM(remaining > 0) AS open_count, SUM(amount) AS amount,
  SUM(remaining) AS remaining, SUM(used) AS used, SUM(expired) AS expired
  FROM credit_grant WHERE account_id IN (?) GROUP BY account_id`;
const orderSql = `SELECT account_id, SUM(credited - reversed) AS net FROM recharge_order
  WHERE account_id IN (?) GROUP BY account_id`;
const reversalSql = `SELECT account_id, SUM(amount) AS reserved FROM recharge_reversal
  WHERE state = 'RESERVED' AND account_id IN (?) GROUP BY account_id`;
const hourlySql = `SELECT account_id, SUM(cost) AS cost, SUM(attempts) AS attempts
  FROM usage_hourly WHERE account_id IN (?) GROUP BY account_id`;
const tailSql = `SELECT e.account_id, e.balance_after FROM balance AS b JOIN ledger_entry AS e
    ON e.account_id = b.account_id AND e.id =
      (SELECT id FROM ledger_entry WHERE account_id = b.account_id ORDER BY id DESC LIMIT 1)
  WHERE b.account_id IN (?)`;
const ledgerSql = `SELECT account_id, SUM(amount) AS everything,
  SUM(IF(kind = 'USAGE', amount, 0)) AS used,
  SUM(IF(kind = 'GRANT', amount, 0)) AS granted,
  SUM(IF(kind = 'GRANT_EXPIRED', amount, 0)) AS expired,
  SUM(IF(kind IN ('RECHARGE', 'RECHARGE_REVERSED', 'RECHARGE_REINSTATED'), amount, 0)) AS recharged
  FROM ledger_entry WHERE account_id IN (?) GROUP BY account_id`;

/** The figures of one row, by column. */
type Sums = (column: string) => bigint;

const nothing: Sums = () => 0n;

async function sums(
  tx: Queryable,
  sql: string,
  accountIds: readonly string[],
): Promise<Map<string, Sums>> {
  const [rows] = await tx.query<RowDataPacket[]>(sql, [accountIds]);
  const byAccount = new Map<string, Sums>();
  for (const row of rows) byAccount.set(String(row.account_id), (column) => figure(row[column]));
  return byAccount;
}

/** Reads a figure that the driver gives as bigint, number or, for sums, a decimal string. */
function figure(value: unknown): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" || typeof value === "string") return BigInt(value);
  throw new Error(`not a figure: ${typeof value}`);
}

function ledgerSums(sum: Sums): LedgerSums {
  return {
    all: sum("everything"),
    usage: sum("used"),
    granted: sum("granted"),
    expired: sum("expired"),
    recharged: sum("recharged"),
  };
}
