import { fieldError } from "@farebox/kit/app-error";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import { ApiKeyState } from "@farebox/proto/farebox/billing/v1/account";
import type { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { defaultScopes, readScopes } from "../domain/api-key.ts";
import { createApiKey } from "../operations/create-api-key.ts";
import { listApiKeys } from "../operations/list-api-keys.ts";
import { type ResolvedKey, resolveApiKeys } from "../operations/resolve-api-keys.ts";
import { revokeApiKey } from "../operations/revoke-api-key.ts";
import { rotateApiKey } from "../operations/rotate-api-key.ts";
import { updateApiKey } from "../operations/update-api-key.ts";
import { watchAccess } from "../operations/watch-access.ts";
import type { AccountServiceDeps } from "./account-service.ts";
import { toProtoAccount, toProtoApiKey } from "./convert-account.ts";
import { fromDuration, fromTimestamp } from "./convert-time.ts";
import { ownAccount } from "./own-account.ts";

type ApiKeyMethods = Pick<
  RpcImpl<typeof AccountService>,
  | "listApiKeys"
  | "createApiKey"
  | "updateApiKey"
  | "rotateApiKey"
  | "revokeApiKey"
  | "resolveApiKeys"
  | "watchAccess"
>;

/** The part of the account service that is about keys. */
export function apiKeyMethods(deps: Omit<AccountServiceDeps, "grantCredit">): ApiKeyMethods {
  return {
    listApiKeys: async ({ accountId, pageSize, pageToken }, { caller }) => {
      const own = ownAccount(caller, accountId);
      const page = await listApiKeys(deps, { accountId: own, pageSize, pageToken });
      return { apiKeys: page.rows.map(toProtoApiKey), nextPageToken: page.nextPageToken };
    },
    createApiKey: async (req, { caller }) => {
      const scopes = req.scopes.length === 0 ? defaultScopes : readScopes(req.scopes);
      if (scopes === undefined) throw fieldError("scopes", "must be scopes of a key");
      const made = await createApiKey(deps, caller, {
        requestId: req.requestId,
        accountId: ownAccount(caller, req.accountId),
        userId: req.userId,
        displayName: req.displayName,
        scopes,
        expireTimeMs: fromTimestamp(req.expireTime, "expire_time"),
        allowedModels: req.allowedModels,
      });
      return { apiKey: toProtoApiKey(made.apiKey), secret: made.secret };
    },
    updateApiKey: async ({ apiKeyId, state }, { caller }) => {
      const wanted = state === ApiKeyState.ACTIVE ? "ACTIVE" : "DISABLED";
      const apiKey = await updateApiKey(deps, caller, { apiKeyId, state: wanted });
      return { apiKey: toProtoApiKey(apiKey) };
    },
    rotateApiKey: async ({ requestId, apiKeyId, oldValidFor }, { caller }) => {
      const oldValidForMs = fromDuration(oldValidFor);
      const made = await rotateApiKey(deps, caller, { requestId, apiKeyId, oldValidForMs });
      return { apiKey: toProtoApiKey(made.apiKey), secret: made.secret };
    },
    revokeApiKey: async ({ apiKeyId }, { caller }) => ({
      apiKey: toProtoApiKey(await revokeApiKey(deps, caller, apiKeyId)),
    }),
    resolveApiKeys: async ({ keyHashes }) => ({
      keys: (await resolveApiKeys(deps, keyHashes)).map(toProtoResolvedKey),
    }),
    watchAccess: async function* (_, { signal }) {
      for await (const change of watchAccess(deps, signal)) {
        yield {
          changedKeys: change.keys.map(toProtoResolvedKey),
          changedKeyHashes: change.keys.map(({ apiKey }) => bytesOf(apiKey.hash)),
          changedAccounts: change.accounts.map(toProtoAccount),
          resync: change.isResync,
        };
      }
    },
  };
}

function toProtoResolvedKey(key: ResolvedKey | undefined) {
  if (key === undefined) return { found: false };
  return { found: true, apiKey: toProtoApiKey(key.apiKey), account: toProtoAccount(key.account) };
}

/** The same bytes over a buffer that is surely not shared, as the generated types ask for. */
function bytesOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
