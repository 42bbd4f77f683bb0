import type { EntityManager } from "@mikro-orm/mysql";
import { type Account, type Balance, emptyBalance } from "../domain/account.ts";
import { toAccount, toBalance } from "./mapping.ts";
import { AccountRow, BalanceRow } from "./tables.ts";

/** An account with its money; undefined when there is none. */
export async function findAccount(
  em: EntityManager,
  accountId: string,
): Promise<{ readonly account: Account; readonly balance: Balance } | undefined> {
  const row = await em.findOne(AccountRow, { id: accountId });
  if (row === null) return undefined;
  const balance = await em.findOne(BalanceRow, { accountId });
  return {
    account: toAccount(row, balance),
    balance: balance === null ? emptyBalance : toBalance(balance),
  };
}

/** Accounts by id; those that do not exist are left out. */
export async function findAccounts(
  em: EntityManager,
  accountIds: readonly string[],
): Promise<ReadonlyMap<string, Account>> {
  const ids = [...new Set(accountIds)];
  if (ids.length === 0) return new Map();
  const rows = await em.find(AccountRow, { id: { $in: ids } });
  return new Map((await withLimits(em, rows)).map((account) => [account.id, account]));
}

/** A page of accounts, newest first, after a (create time, id). */
export async function listAccountRows(
  em: EntityManager,
  page: {
    readonly tenantId: string;
    readonly after: { readonly createTimeMs: number; readonly id: string } | undefined;
    readonly limit: number;
  },
): Promise<readonly Account[]> {
  const { tenantId, after, limit } = page;
  const createTime = new Date(after?.createTimeMs ?? 0);
  const rows = await em.find(
    AccountRow,
    {
      ...(tenantId !== "" && { tenantId }),
      ...(after && {
        $or: [{ createTime: { $lt: createTime } }, { createTime, id: { $lt: after.id } }],
      }),
    },
    { orderBy: { createTime: "desc", id: "desc" }, limit },
  );
  return withLimits(em, rows);
}

/** Accounts that changed at or after an instant, oldest change first, with the instant of each. */
export async function accountsChangedSince(
  em: EntityManager,
  sinceMs: number,
  limit: number,
): Promise<readonly { readonly account: Account; readonly updateTimeMs: number }[]> {
  const rows = await em.find(
    AccountRow,
    { updateTime: { $gte: new Date(sinceMs) } },
    { orderBy: { updateTime: "asc", id: "asc" }, limit },
  );
  const accounts = await withLimits(em, rows);
  return rows.flatMap((row, index) => {
    const account = accounts[index];
    return account ? [{ account, updateTimeMs: row.updateTime.getTime() }] : [];
  });
}

/** Adds an account and its empty balance. */
export async function insertAccount(em: EntityManager, account: Account): Promise<void> {
  const createTime = new Date(account.createTimeMs);
  await em.insert(AccountRow, {
    id: account.id,
    tenantId: account.tenantId,
    displayName: account.displayName,
    currencyCode: account.currencyCode,
    disconnectPolicy: account.disconnectPolicy,
    createTime,
    updateTime: createTime,
  });
  await em.insert(BalanceRow, {
    accountId: account.id,
    ...emptyBalance,
    overdraftLimit: account.overdraftLimitNanos,
  });
}

/** Changes what is given of an account; its money is not touched. */
export async function changeAccount(
  em: EntityManager,
  accountId: string,
  change: Partial<Pick<Account, "displayName" | "disconnectPolicy" | "overdraftLimitNanos">>,
  nowMs: number,
): Promise<void> {
  const { overdraftLimitNanos, displayName, disconnectPolicy } = change;
  await em.nativeUpdate(
    AccountRow,
    { id: accountId },
    {
      updateTime: new Date(nowMs),
      ...(displayName !== undefined && { displayName }),
      ...(disconnectPolicy !== undefined && { disconnectPolicy }),
    },
  );
  if (overdraftLimitNanos === undefined) return;
  await em.nativeUpdate(BalanceRow, { accountId }, { overdraftLimit: overdraftLimitNanos });
}

async function withLimits(
  em: EntityManager,
  rows: readonly Parameters<typeof toAccount>[0][],
): Promise<readonly Account[]> {
  if (rows.length === 0) return [];
  const balances = await em.find(BalanceRow, { accountId: { $in: rows.map((row) => row.id) } });
  const byAccount = new Map(balances.map((balance) => [balance.accountId, balance]));
  return rows.map((row) => toAccount(row, byAccount.get(row.id)));
}
