import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Secret } from "@farebox/kit/env";
import { secret as newSecret, newUuid } from "@farebox/kit/ids";
import type { Orm } from "@farebox/kit/orm";
import type { Caller } from "@farebox/kit/rpc-context";
import type { ApiKey, KeyScope } from "../domain/api-key.ts";
import { findAccount } from "../store/account-store.ts";
import { findApiKey, insertApiKey } from "../store/api-key-store.ts";
import { requestOnce } from "../store/request-once.ts";
import { contentSha256 } from "./content-sha256.ts";
import { hashSecret } from "./hash-secret.ts";
import { requireRights } from "./require-rights.ts";

export type CreateApiKeyDeps = {
  readonly orm: Orm;
  readonly clock: Clock;
  readonly pepper: Secret;
};

export type CreateApiKeyInput = {
  readonly requestId: string;
  readonly accountId: string;
  readonly userId: string;
  readonly displayName: string;
  readonly scopes: readonly KeyScope[];
  readonly expireTimeMs: number | undefined;
  readonly allowedModels: readonly string[];
};

/** A key with its secret, which is empty when the key was made by an earlier call: it is shown once. */
export type NewApiKey = { readonly apiKey: ApiKey; readonly secret: string };

/** What a TEXT column holds. */
const allowedModelsBytesMax = 65_535;

/**
 * Makes a key. The secret exists only in the answer; a repeated request id with the same content answers the same key
 * without it. A caller can only give what its own key has: scopes, models, time.
 *
 * Errors: ACCOUNT_NOT_FOUND, PERMISSION_DENIED, REQUEST_ID_REUSED, INVALID_ARGUMENT for an end in the past.
 */
export async function createApiKey(
  deps: CreateApiKeyDeps,
  caller: Caller,
  input: CreateApiKeyInput,
): Promise<NewApiKey> {
  await deps.orm.read((em) => requireRights(em, caller, input));
  const nowMs = deps.clock.nowMs();
  if (input.expireTimeMs !== undefined && input.expireTimeMs <= nowMs) {
    throw fieldError("expire_time", "must be in the future");
  }
  if (Buffer.byteLength(JSON.stringify(input.allowedModels)) > allowedModelsBytesMax) {
    throw fieldError("allowed_models", `must be at most ${allowedModelsBytesMax} bytes together`);
  }
  const account = await deps.orm.read((em) => findAccount(em, input.accountId));
  if (account === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  const { requestId, ...facts } = input;
  const secret = newSecret("fbx");
  const hash = hashSecret(deps.pepper, secret);
  const apiKey = makeApiKey({ ...facts, state: "ACTIVE", secret, hash, nowMs });
  const sha256 = contentSha256([
    facts.userId,
    facts.displayName,
    facts.scopes,
    facts.expireTimeMs,
    facts.allowedModels,
  ]);
  const { isFirst, result } = await requestOnce(
    deps.orm,
    { accountId: input.accountId, method: "CreateApiKey", requestId, sha256, nowMs },
    apiKey.id,
    (em) => insertApiKey(em, apiKey),
  );
  if (isFirst) return { apiKey, secret };
  return { apiKey: await readMadeKey(deps.orm, result), secret: "" };
}

/** A key, made now, out of its facts. */
export function makeApiKey(facts: NewKeyFacts): ApiKey {
  return {
    id: newUuid(),
    accountId: facts.accountId,
    userId: facts.userId,
    displayName: facts.displayName,
    hash: facts.hash,
    last4: facts.secret.slice(-4),
    scopes: facts.scopes,
    allowedModels: facts.allowedModels,
    state: facts.state,
    expireTimeMs: facts.expireTimeMs,
    createTimeMs: facts.nowMs,
    updateTimeMs: facts.nowMs,
    revokeTimeMs: undefined,
  };
}

type NewKeyFacts = Pick<
  ApiKey,
  | "accountId"
  | "userId"
  | "displayName"
  | "scopes"
  | "allowedModels"
  | "state"
  | "expireTimeMs"
  | "hash"
> & { readonly secret: string; readonly nowMs: number };

/** The key that an earlier call made, as it stands. */
export async function readMadeKey(orm: Orm, id: Uint8Array): Promise<ApiKey> {
  const apiKey = await orm.read((em) => findApiKey(em, id));
  if (apiKey === undefined) throw new Error("a key that a request made is gone");
  return apiKey;
}
