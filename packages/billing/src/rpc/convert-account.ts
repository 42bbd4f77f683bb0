import type { MessageInitShape } from "@bufbuild/protobuf";
import { formatId } from "@farebox/kit/ids";
import {
  type AccountSchema,
  type ApiKeySchema,
  ApiKeyState,
  type BalanceSchema,
  type CreditGrantSchema,
  DisconnectPolicy,
  type FreeQuotaSchema,
  GrantKind,
  type LedgerEntrySchema,
  LedgerKind,
  QuotaPeriod,
} from "@farebox/proto/farebox/billing/v1/account";
import { FreeUnit } from "@farebox/proto/farebox/billing/v1/lease";
import type { Account, Balance } from "../domain/account.ts";
import { type ApiKey, scopeNames } from "../domain/api-key.ts";
import type { CreditGrant } from "../domain/credit-grant.ts";
import type { FreeQuota } from "../domain/free-quota.ts";
import type { LedgerEntry } from "../domain/ledger-entry.ts";
import { toMoney } from "./convert-money.ts";
import { toTimestamp } from "./convert-time.ts";

export function toProtoAccount(account: Account): MessageInitShape<typeof AccountSchema> {
  return {
    id: account.id,
    tenantId: account.tenantId,
    displayName: account.displayName,
    currencyCode: account.currencyCode,
    overdraftLimit: toMoney(account.overdraftLimitNanos, account.currencyCode),
    disconnectPolicy: DisconnectPolicy[account.disconnectPolicy],
    createTime: toTimestamp(account.createTimeMs),
  };
}

export function toProtoBalance(
  balance: Balance,
  currencyCode: string,
): MessageInitShape<typeof BalanceSchema> {
  return {
    available: toMoney(balance.available, currencyCode),
    held: toMoney(balance.held, currencyCode),
    spent: toMoney(balance.spent, currencyCode),
    credited: toMoney(balance.credited, currencyCode),
    receivable: toMoney(balance.receivable, currencyCode),
  };
}

export function toProtoFreeQuota(quota: FreeQuota): MessageInitShape<typeof FreeQuotaSchema> {
  return {
    service: quota.service,
    unit: FreeUnit[quota.unit],
    period: QuotaPeriod[quota.period],
    periodStart: toTimestamp(quota.startMs),
    periodEnd: toTimestamp(quota.endMs),
    unitsGranted: quota.unitsGranted,
    unitsAvailable: quota.unitsAvailable,
    unitsHeld: quota.unitsHeld,
    unitsUsed: quota.unitsUsed,
  };
}

export function toProtoCreditGrant(
  grant: CreditGrant,
  currencyCode: string,
): MessageInitShape<typeof CreditGrantSchema> {
  return {
    id: formatId("grt", grant.id),
    accountId: grant.accountId,
    kind: GrantKind[grant.kind],
    priority: grant.priority,
    amount: toMoney(grant.amountNanos, currencyCode),
    remaining: toMoney(grant.remainingNanos, currencyCode),
    expired: toMoney(grant.expiredNanos, currencyCode),
    expireTime: toTimestamp(grant.expireTimeMs),
    createTime: toTimestamp(grant.createTimeMs),
  };
}

export function toProtoLedgerEntry(
  entry: LedgerEntry,
  currencyCode: string,
): MessageInitShape<typeof LedgerEntrySchema> {
  return {
    id: formatId("led", entry.id),
    accountId: entry.accountId,
    kind: LedgerKind[entry.kind],
    reference: entry.reference,
    amount: toMoney(entry.amountNanos, currencyCode),
    balanceAfter: toMoney(entry.balanceAfterNanos, currencyCode),
    debit: entry.debit,
    credit: entry.credit,
    createTime: toTimestamp(entry.createTimeMs),
  };
}

export function toProtoApiKey(key: ApiKey): MessageInitShape<typeof ApiKeySchema> {
  return {
    id: formatId("key", key.id),
    accountId: key.accountId,
    userId: key.userId,
    displayName: key.displayName,
    scopes: key.scopes.map((scope) => scopeNames[scope]),
    last4: key.last4,
    state: ApiKeyState[key.state],
    expireTime: toTimestamp(key.expireTimeMs),
    allowedModels: [...key.allowedModels],
    createTime: toTimestamp(key.createTimeMs),
    revokeTime: toTimestamp(key.revokeTimeMs),
  };
}
