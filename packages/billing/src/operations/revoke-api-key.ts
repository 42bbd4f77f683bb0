import type { Clock } from "@farebox/kit/clock";
import type { Orm } from "@farebox/kit/orm";
import type { Caller } from "@farebox/kit/rpc-context";
import type { ApiKey } from "../domain/api-key.ts";
import { changeApiKey } from "../store/api-key-store.ts";
import { ownApiKey } from "./own-api-key.ts";

export type RevokeApiKeyDeps = { readonly orm: Orm; readonly clock: Clock };

/** Ends a key for good. Revoking a revoked key answers it as it is. Errors: API_KEY_NOT_FOUND. */
export async function revokeApiKey(
  deps: RevokeApiKeyDeps,
  caller: Caller,
  apiKeyId: string,
): Promise<ApiKey> {
  const nowMs = deps.clock.nowMs();
  return await deps.orm.write(async (em) => {
    const apiKey = await ownApiKey(em, caller, apiKeyId);
    const revoked = { state: "REVOKED", revokeTimeMs: nowMs } as const;
    const isChanged = await changeApiKey(em, apiKey.id, revoked, nowMs);
    return isChanged ? { ...apiKey, ...revoked, updateTimeMs: nowMs } : apiKey;
  });
}
