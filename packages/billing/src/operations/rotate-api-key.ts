import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Secret } from "@farebox/kit/env";
import { secret as newSecret } from "@farebox/kit/ids";
import type { Orm } from "@farebox/kit/orm";
import type { Caller } from "@farebox/kit/rpc-context";
import { changeApiKey, insertApiKey, lockApiKey } from "../store/api-key-store.ts";
import { requestOnce } from "../store/request-once.ts";
import { contentSha256 } from "./content-sha256.ts";
import { makeApiKey, type NewApiKey, readMadeKey } from "./create-api-key.ts";
import { hashSecret } from "./hash-secret.ts";
import { ownApiKey } from "./own-api-key.ts";
import { requireRights } from "./require-rights.ts";

export type RotateApiKeyDeps = {
  readonly orm: Orm;
  readonly clock: Clock;
  readonly pepper: Secret;
};

export type RotateApiKeyInput = {
  readonly requestId: string;
  readonly apiKeyId: string;
  /** How long the old secret goes on working; 0 revokes it at once. */
  readonly oldValidForMs: number;
};

/**
 * Makes a new secret with the rights of an old one, and ends the old one after a while. A repeated request id with the same
 * content answers the same new key without its secret. A caller can only rotate a key that reaches no further than its own: the
 * answer is a working credential.
 *
 * A disabled key stays so under its new secret, also one that is switched off while this runs: whoever did may well want a new
 * secret before it is switched on again. One whose time is over ends as a revoked one does: it could not be switched on.
 *
 * Errors: API_KEY_NOT_FOUND, also for a revoked or expired key; PERMISSION_DENIED, REQUEST_ID_REUSED.
 */
export async function rotateApiKey(
  deps: RotateApiKeyDeps,
  caller: Caller,
  input: RotateApiKeyInput,
): Promise<NewApiKey> {
  const { requestId, apiKeyId, oldValidForMs } = input;
  const nowMs = deps.clock.nowMs();
  const seen = await deps.orm.read(async (em) => {
    const apiKey = await ownApiKey(em, caller, apiKeyId);
    await requireRights(em, caller, apiKey);
    return apiKey;
  });
  const secret = newSecret("fbx");
  const made = makeApiKey({ ...seen, secret, hash: hashSecret(deps.pepper, secret), nowMs });
  let apiKey = made;
  const { isFirst, result } = await requestOnce(
    deps.orm,
    {
      accountId: seen.accountId,
      method: "RotateApiKey",
      requestId,
      sha256: contentSha256([apiKeyId, oldValidForMs]),
      nowMs,
    },
    made.id,
    async (em) => {
      const old = await lockApiKey(em, seen.id);
      if (old === undefined) throw new AppError("API_KEY_NOT_FOUND");
      if (old.expireTimeMs !== undefined && old.expireTimeMs <= nowMs) {
        throw new AppError("API_KEY_NOT_FOUND", "The key has expired. Make a new one instead.");
      }
      const isEnded = await changeApiKey(em, old.id, endOf(old, oldValidForMs, nowMs), nowMs);
      if (!isEnded) throw new AppError("API_KEY_NOT_FOUND");
      // Its rights never change, its state and its end may have since they were seen; an end only comes nearer.
      apiKey = { ...made, state: old.state, expireTimeMs: old.expireTimeMs };
      await insertApiKey(em, apiKey);
    },
  );
  if (isFirst) return { apiKey, secret };
  return { apiKey: await readMadeKey(deps.orm, result), secret: "" };
}

/** An old key ends now, or after its grace unless it ends sooner by itself. */
function endOf(
  old: { readonly expireTimeMs: number | undefined },
  validForMs: number,
  nowMs: number,
) {
  if (validForMs === 0) return { state: "REVOKED", revokeTimeMs: nowMs } as const;
  return { expireTimeMs: Math.min(nowMs + validForMs, old.expireTimeMs ?? Infinity) };
}
