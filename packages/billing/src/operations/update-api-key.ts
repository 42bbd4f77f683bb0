import { fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Orm } from "@farebox/kit/orm";
import type { Caller } from "@farebox/kit/rpc-context";
import type { ApiKey } from "../domain/api-key.ts";
import { changeApiKey } from "../store/api-key-store.ts";
import { ownApiKey } from "./own-api-key.ts";
import { requireRights } from "./require-rights.ts";

export type UpdateApiKeyDeps = { readonly orm: Orm; readonly clock: Clock };

/**
 * Switches a key off or on again. A revoked key stays revoked. A caller can switch any key of its account off, and on only one
 * that reaches no further than its own.
 *
 * Errors: API_KEY_NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT for a revoked key.
 */
export async function updateApiKey(
  deps: UpdateApiKeyDeps,
  caller: Caller,
  input: { readonly apiKeyId: string; readonly state: "ACTIVE" | "DISABLED" },
): Promise<ApiKey> {
  const { state } = input;
  const updateTimeMs = deps.clock.nowMs();
  return await deps.orm.write(async (em) => {
    const apiKey = await ownApiKey(em, caller, input.apiKeyId);
    if (state === "ACTIVE") await requireRights(em, caller, apiKey);
    const isChanged = await changeApiKey(em, apiKey.id, { state }, updateTimeMs);
    if (!isChanged) throw fieldError("state", "a revoked key stays revoked");
    return { ...apiKey, state, updateTimeMs };
  });
}
