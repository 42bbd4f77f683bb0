import type { InferEntity } from "@mikro-orm/core";
import { type Account, type Balance, disconnectPolicies } from "../domain/account.ts";
import { type ApiKey, apiKeyStates, readScopes } from "../domain/api-key.ts";
import { type CreditGrant, grantKinds } from "../domain/credit-grant.ts";
import { type FreeQuotaRule, freeUnits, quotaPeriods } from "../domain/free-quota.ts";
import { type LedgerEntry, ledgerKinds } from "../domain/ledger-entry.ts";
import type {
  AccountRow,
  ApiKeyRow,
  BalanceRow,
  CreditGrantRow,
  FreeQuotaRuleRow,
  LedgerEntryRow,
} from "./tables.ts";

type Row<T> = Readonly<InferEntity<T>>;

/** An account as the domain knows it; its limit is kept with its money. */
export function toAccount(
  row: Row<typeof AccountRow>,
  balance: Pick<Row<typeof BalanceRow>, "overdraftLimit"> | null | undefined,
): Account {
  return {
    id: row.id,
    tenantId: row.tenantId,
    displayName: row.displayName,
    currencyCode: row.currencyCode,
    overdraftLimitNanos: balance?.overdraftLimit ?? 0n,
    disconnectPolicy: oneOf(disconnectPolicies, row.disconnectPolicy),
    createTimeMs: row.createTime.getTime(),
  };
}

/** An account's money. */
export function toBalance(row: Row<typeof BalanceRow>): Balance {
  const { available, held, spent, credited, receivable } = row;
  return { available, held, spent, credited, receivable };
}

/** A grant as the domain knows it. */
export function toCreditGrant(row: Row<typeof CreditGrantRow>): CreditGrant {
  return {
    id: row.id,
    accountId: row.accountId,
    kind: oneOf(grantKinds, row.kind),
    priority: row.priority,
    amountNanos: row.amount,
    remainingNanos: row.remaining,
    expiredNanos: row.expired,
    expireTimeMs: row.expireTime?.getTime(),
    createTimeMs: row.createTime.getTime(),
  };
}

/** A ledger entry as the domain knows it. */
export function toLedgerEntry(row: Row<typeof LedgerEntryRow>): LedgerEntry {
  return {
    id: row.id,
    accountId: row.accountId,
    kind: oneOf(ledgerKinds, row.kind),
    reference: row.reference,
    amountNanos: row.amount,
    balanceAfterNanos: row.balanceAfter,
    debit: row.debit,
    credit: row.credit,
    createTimeMs: row.createTime.getTime(),
  };
}

/** A key as the domain knows it. */
export function toApiKey(row: Row<typeof ApiKeyRow>): ApiKey {
  return {
    id: row.id,
    accountId: row.accountId,
    userId: row.userId,
    displayName: row.displayName,
    hash: row.hash,
    last4: row.last4,
    scopes: readScopes(row.scopes === "" ? [] : row.scopes.split(",")) ?? [],
    allowedModels: asTexts(JSON.parse(row.allowedModels)),
    state: oneOf(apiKeyStates, row.state),
    expireTimeMs: row.expireTime?.getTime(),
    createTimeMs: row.createTime.getTime(),
    updateTimeMs: row.updateTime.getTime(),
    revokeTimeMs: row.revokeTime?.getTime(),
  };
}

/** A free quota rule as the domain knows it. */
export function toFreeQuotaRule(row: Row<typeof FreeQuotaRuleRow>): FreeQuotaRule {
  return {
    service: row.service,
    period: oneOf(quotaPeriods, row.period),
    unit: oneOf(freeUnits, row.freeUnit),
    amount: row.amount,
  };
}

/** A word that a column may hold. Throws for any other: the schema and the code are then of different releases. */
export function oneOf<const Word extends string>(words: readonly Word[], text: string): Word {
  const word = words.find((candidate) => candidate === text);
  if (word === undefined)
    throw new Error(`the database holds "${text}" where one of ${words} belongs`);
  return word;
}

function asTexts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((it) => typeof it === "string") : [];
}
