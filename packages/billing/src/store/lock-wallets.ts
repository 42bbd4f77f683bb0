import type { RowDataPacket } from "mysql2/promise";
import type { Wallet } from "../domain/balance-moves.ts";
import { inChunks } from "./in-chunks.ts";
import { type Statements, unformatted } from "./in-one-trip.ts";
import { quoteText } from "./sql-text.ts";

/**
 * Locks and reads the balances of accounts, in the order of their ids. Accounts whose row was never made, or that do not
 * exist, are left out.
 */
export async function lockWallets(
  tx: Statements,
  accountIds: readonly string[],
): Promise<Map<string, Wallet>> {
  const wallets = new Map<string, Wallet>();
  for (const chunk of inChunks([...accountIds].sort())) {
    const [rows] = await tx.query<WalletRow[]>(
      `SELECT account_id, available, held, spent, credited, receivable, overdraft_limit, open_leases, open_grants
       FROM balance FORCE INDEX (PRIMARY) WHERE account_id IN (${chunk.map(quoteText).join(",")})
       ORDER BY account_id FOR UPDATE`,
      unformatted,
    );
    for (const row of rows) wallets.set(row.account_id, toWallet(row));
  }
  return wallets;
}

/**
 * Makes the balance rows of accounts that exist and have none. Run before the transaction that needs them: many first
 * calls at once make one row each.
 */
export async function createWallets(db: Statements, accountIds: readonly string[]): Promise<void> {
  for (const chunk of inChunks([...accountIds].sort())) {
    await db.query(
      `INSERT INTO balance (account_id) SELECT id FROM account WHERE id IN (${chunk.map(quoteText).join(",")})
       ORDER BY id ON DUPLICATE KEY UPDATE account_id = balance.account_id`,
    );
  }
}

/** Reads a balance without locking it; undefined when there is no row. */
export async function readWallet(db: Statements, accountId: string): Promise<Wallet | undefined> {
  const [rows] = await db.query<WalletRow[]>(
    `SELECT account_id, available, held, spent, credited, receivable, overdraft_limit, open_leases, open_grants
     FROM balance WHERE account_id = ?`,
    [accountId],
  );
  return rows[0] && toWallet(rows[0]);
}

/** Reads the balances of accounts without locking them; accounts without a row are left out. */
export async function readWallets(
  db: Statements,
  accountIds: readonly string[],
): Promise<Map<string, Wallet>> {
  const wallets = new Map<string, Wallet>();
  for (const chunk of inChunks(accountIds)) {
    const [rows] = await db.query<WalletRow[]>(
      `SELECT account_id, available, held, spent, credited, receivable, overdraft_limit, open_leases, open_grants
       FROM balance WHERE account_id IN (${chunk.map(quoteText).join(",")})`,
    );
    for (const row of rows) wallets.set(row.account_id, toWallet(row));
  }
  return wallets;
}

type WalletRow = RowDataPacket & {
  readonly account_id: string;
  readonly available: bigint;
  readonly held: bigint;
  readonly spent: bigint;
  readonly credited: bigint;
  readonly receivable: bigint;
  readonly overdraft_limit: bigint;
  readonly open_leases: number;
  readonly open_grants: number;
};

function toWallet(row: WalletRow): Wallet {
  return {
    available: row.available,
    held: row.held,
    spent: row.spent,
    credited: row.credited,
    receivable: row.receivable,
    overdraftLimit: row.overdraft_limit,
    openLeases: row.open_leases,
    openGrants: row.open_grants,
  };
}
