import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Account,
  ApiKeyState,
  DisconnectPolicy,
} from "@farebox/proto/farebox/billing/v1/account";
import type { ResolvedKey } from "@farebox/proto/farebox/billing/v1/account_service";

/** What a call must know of the key it came with. */
export type AccessEntry = {
  readonly apiKeyId: string;
  readonly accountId: string;
  /** Empty for none. */
  readonly userId: string;
  /** As the contract spells them: "inference", "billing:read" … */
  readonly scopes: ReadonlySet<string>;
  /** Models the key may use, "*" matching any run of characters; empty for all. */
  readonly allowedModels: readonly string[];
  readonly isActive: boolean;
  /** Infinity for never. */
  readonly expireTimeMs: number;
  /** ISO 4217 code of the account's money. */
  readonly currency: string;
  readonly tenantId: string;
  readonly disconnectPolicy: "partial" | "input_only" | "nothing";
};

/** Reads a resolved key; undefined for one that does not exist. */
export function readAccessEntry({ found, apiKey, account }: ResolvedKey): AccessEntry | undefined {
  if (!found || apiKey === undefined || account === undefined) return undefined;
  return {
    apiKeyId: apiKey.id,
    userId: apiKey.userId,
    scopes: new Set(apiKey.scopes),
    allowedModels: apiKey.allowedModels,
    isActive: apiKey.state === ApiKeyState.ACTIVE,
    expireTimeMs: timeMsOr(apiKey.expireTime, Number.POSITIVE_INFINITY),
    ...readAccount(account),
  };
}

/** The part of an entry that is its account's. */
export function readAccount(
  account: Account,
): Pick<AccessEntry, "accountId" | "currency" | "tenantId" | "disconnectPolicy"> {
  return {
    accountId: account.id,
    currency: account.currencyCode,
    tenantId: account.tenantId,
    disconnectPolicy: policyOf(account.disconnectPolicy),
  };
}

function policyOf(policy: DisconnectPolicy): AccessEntry["disconnectPolicy"] {
  if (policy === DisconnectPolicy.INPUT_ONLY) return "input_only";
  return policy === DisconnectPolicy.NOTHING ? "nothing" : "partial";
}

function timeMsOr(time: Timestamp | undefined, otherwise: number): number {
  return time === undefined ? otherwise : timestampMs(time);
}
