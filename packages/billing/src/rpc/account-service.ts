import { fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Secret } from "@farebox/kit/env";
import type { Orm } from "@farebox/kit/orm";
import type { PageTokens } from "@farebox/kit/page-token";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import { DisconnectPolicy, LedgerKind } from "@farebox/proto/farebox/billing/v1/account";
import type { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { disconnectPolicies } from "../domain/account.ts";
import { ledgerKinds } from "../domain/ledger-entry.ts";
import { createAccount } from "../operations/create-account.ts";
import { getAccount } from "../operations/get-account.ts";
import { listAccounts } from "../operations/list-accounts.ts";
import { listCreditGrants } from "../operations/list-credit-grants.ts";
import { listLedgerEntries } from "../operations/list-ledger-entries.ts";
import { updateAccount } from "../operations/update-account.ts";
import type { AccessFeed } from "../watch/access-feed.ts";
import { apiKeyMethods } from "./api-key-methods.ts";
import {
  toProtoAccount,
  toProtoBalance,
  toProtoCreditGrant,
  toProtoFreeQuota,
  toProtoLedgerEntry,
} from "./convert-account.ts";
import { fromLimit } from "./convert-money.ts";
import { fromTimestamp } from "./convert-time.ts";
import { wordOf } from "./convert-word.ts";
import { type GrantCreditMethodDeps, grantCreditMethod } from "./grant-credit-method.ts";
import { ownAccount } from "./own-account.ts";

export type AccountServiceDeps = GrantCreditMethodDeps & {
  readonly orm: Orm;
  readonly clock: Clock;
  readonly pageTokens: PageTokens;
  readonly pepper: Secret;
  readonly accessFeed: AccessFeed;
};

/** Accounts, their credit and their keys. */
export function accountService(deps: AccountServiceDeps): RpcImpl<typeof AccountService> {
  return {
    ...accountMethods(deps),
    ...moneyMethods(deps),
    ...apiKeyMethods(deps),
    grantCredit: grantCreditMethod(deps),
  };
}

type Methods<Names extends keyof RpcImpl<typeof AccountService>> = Pick<
  RpcImpl<typeof AccountService>,
  Names
>;

function accountMethods(
  deps: AccountServiceDeps,
): Methods<"getAccount" | "listAccounts" | "createAccount" | "updateAccount"> {
  return {
    getAccount: async (req, { caller }) => {
      const standing = await getAccount(deps, ownAccount(caller, req.accountId));
      const { account, balance, freeQuotas } = standing;
      return {
        account: toProtoAccount(account),
        balance: toProtoBalance(balance, account.currencyCode),
        freeQuotas: freeQuotas.map(toProtoFreeQuota),
      };
    },
    listAccounts: async (req) => {
      const page = await listAccounts(deps, req);
      return { accounts: page.rows.map(toProtoAccount), nextPageToken: page.nextPageToken };
    },
    createAccount: async (req) => {
      const { requestId, displayName, tenantId } = req;
      const currencyCode = req.currencyCode || "USD";
      const policy = wordOf(disconnectPolicies, DisconnectPolicy, req.disconnectPolicy);
      const account = await createAccount(deps, {
        requestId,
        displayName,
        currencyCode,
        tenantId,
        overdraftLimitNanos: fromLimit(req.overdraftLimit, currencyCode, "overdraft_limit"),
        disconnectPolicy: policy ?? "PARTIAL",
      });
      return { account: toProtoAccount(account) };
    },
    updateAccount: async (req) => {
      const policy = wordOf(disconnectPolicies, DisconnectPolicy, req.disconnectPolicy);
      const account = await updateAccount(deps, req.accountId, ({ currencyCode }) => ({
        ...(req.displayName !== undefined && { displayName: req.displayName }),
        ...(policy !== undefined && { disconnectPolicy: policy }),
        ...(req.overdraftLimit !== undefined && {
          overdraftLimitNanos: fromLimit(req.overdraftLimit, currencyCode, "overdraft_limit"),
        }),
      }));
      return { account: toProtoAccount(account) };
    },
  };
}

function moneyMethods(deps: AccountServiceDeps): Methods<"listCreditGrants" | "listLedgerEntries"> {
  return {
    listCreditGrants: async (req, { caller }) => {
      const accountId = ownAccount(caller, req.accountId);
      const { includeFinished, pageSize, pageToken } = req;
      const page = await listCreditGrants(deps, {
        accountId,
        includeFinished,
        pageSize,
        pageToken,
      });
      return {
        grants: page.rows.map((grant) => toProtoCreditGrant(grant, page.currencyCode)),
        nextPageToken: page.nextPageToken,
      };
    },
    listLedgerEntries: async (req, { caller }) => {
      const { pageSize, pageToken } = req;
      const startMs = fromTimestamp(req.startTime, "start_time");
      const endMs = fromTimestamp(req.endTime, "end_time");
      if (startMs !== undefined && endMs !== undefined && endMs <= startMs) {
        throw fieldError("end_time", "must be after start_time");
      }
      const accountId = ownAccount(caller, req.accountId);
      const kind = wordOf(ledgerKinds, LedgerKind, req.kind);
      const page = await listLedgerEntries(deps, {
        accountId,
        kind,
        startMs,
        endMs,
        pageSize,
        pageToken,
      });
      return {
        entries: page.rows.map((entry) => toProtoLedgerEntry(entry, page.currencyCode)),
        nextPageToken: page.nextPageToken,
      };
    },
  };
}
