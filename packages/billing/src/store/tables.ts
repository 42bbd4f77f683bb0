import { defineEntity, p } from "@mikro-orm/core";

/** The rows that MikroORM reads and writes. They never leave this room: `mapping.ts` turns them into the domain's records. */

const bytes = (length: number) => p.blob().length(length);
const time = () => p.datetime(3);

/** An account's own facts; its money is in `balance`. */
export const AccountRow = defineEntity({
  name: "AccountRow",
  tableName: "account",
  properties: {
    id: p.string().primary(),
    tenantId: p.string(),
    displayName: p.string(),
    currencyCode: p.string(),
    disconnectPolicy: p.string(),
    createTime: time(),
    updateTime: time(),
  },
});

/** An account's money. Only the settlement engine changes it; here it is created and read. */
export const BalanceRow = defineEntity({
  name: "BalanceRow",
  tableName: "balance",
  properties: {
    accountId: p.string().primary(),
    available: p.bigint(),
    held: p.bigint(),
    spent: p.bigint(),
    credited: p.bigint(),
    receivable: p.bigint(),
    overdraftLimit: p.bigint(),
  },
});

/** Credit that was given. Read only: the settlement engine burns and expires it. */
export const CreditGrantRow = defineEntity({
  name: "CreditGrantRow",
  tableName: "credit_grant",
  properties: {
    accountId: p.string().primary(),
    id: bytes(16).primary(),
    kind: p.string(),
    priority: p.integer(),
    amount: p.bigint(),
    remaining: p.bigint(),
    expired: p.bigint(),
    expireTime: time().nullable(),
    createTime: time(),
  },
});

/** A change of funds. Read only and never changed by anybody. */
export const LedgerEntryRow = defineEntity({
  name: "LedgerEntryRow",
  tableName: "ledger_entry",
  properties: {
    accountId: p.string().primary(),
    id: bytes(16).primary(),
    kind: p.string(),
    reference: p.string(),
    amount: p.bigint(),
    balanceAfter: p.bigint(),
    debit: p.string(),
    credit: p.string(),
    createTime: time(),
  },
});

/** A service's free units of one account and period. Read only here. */
export const FreeQuotaPeriodRow = defineEntity({
  name: "FreeQuotaPeriodRow",
  tableName: "free_quota_period",
  properties: {
    accountId: p.string().primary(),
    service: p.string().primary(),
    periodStart: time().primary(),
    freeUnit: p.string(),
    unitsGranted: p.bigint(),
    unitsAvailable: p.bigint(),
    unitsHeld: p.bigint(),
    unitsUsed: p.bigint(),
  },
});

/** A credential, by the keyed hash of its secret. */
export const ApiKeyRow = defineEntity({
  name: "ApiKeyRow",
  tableName: "api_key",
  properties: {
    id: bytes(16).primary(),
    accountId: p.string(),
    userId: p.string(),
    displayName: p.string(),
    hash: bytes(32),
    last4: p.string().fieldName("last4"),
    scopes: p.string(),
    allowedModels: p.text(),
    state: p.string(),
    expireTime: time().nullable(),
    createTime: time(),
    updateTime: time(),
    revokeTime: time().nullable(),
  },
});

/** One version of a model's price, as JSON. Never changed, never deleted. */
export const PriceVersionRow = defineEntity({
  name: "PriceVersionRow",
  tableName: "price_version",
  properties: {
    id: bytes(16).primary(),
    source: p.string(),
    provider: p.string(),
    model: p.string(),
    effectiveFrom: time(),
    contentSha256: bytes(32).fieldName("content_sha256"),
    content: p.text(),
    createTime: time(),
  },
});

/** Everything a charge was computed with, named by its content. Never changed, never deleted. */
export const PriceSnapshotRow = defineEntity({
  name: "PriceSnapshotRow",
  tableName: "price_snapshot",
  properties: {
    id: bytes(16).primary(),
    content: p.text(),
    createTime: time(),
  },
});

/** How the last pull from a source of prices went. */
export const PriceSyncRow = defineEntity({
  name: "PriceSyncRow",
  tableName: "price_sync",
  properties: {
    source: p.string().primary(),
    successTime: time().nullable(),
    error: p.string(),
  },
});

/** What every account gets of a service for nothing. */
export const FreeQuotaRuleRow = defineEntity({
  name: "FreeQuotaRuleRow",
  tableName: "free_quota_rule",
  properties: {
    service: p.string().primary(),
    period: p.string(),
    freeUnit: p.string(),
    amount: p.bigint(),
    updateTime: time(),
  },
});

/** A request that happened, so that it happens once. Kept for ever. */
export const IdempotencyKeyRow = defineEntity({
  name: "IdempotencyKeyRow",
  tableName: "idempotency_key",
  properties: {
    accountId: p.string().primary(),
    method: p.string().primary(),
    requestId: p.string().primary(),
    sha256: bytes(32).fieldName("sha256"),
    result: p.blob(),
    createTime: time(),
  },
});
