import { AppError } from "@farebox/kit/app-error";
import { parseId } from "@farebox/kit/ids";
import { actsForAnyAccount, type Caller } from "@farebox/kit/rpc-context";
import type { EntityManager } from "@mikro-orm/mysql";
import type { ApiKey } from "../domain/api-key.ts";
import { findApiKey } from "../store/api-key-store.ts";

/** The key that a caller names. One of another account is answered as if it did not exist. Errors: API_KEY_NOT_FOUND. */
export async function ownApiKey(
  em: EntityManager,
  caller: Caller,
  apiKeyId: string,
): Promise<ApiKey> {
  const id = parseId("key", apiKeyId);
  const apiKey = id && (await findApiKey(em, id));
  if (apiKey === undefined) throw new AppError("API_KEY_NOT_FOUND");
  const isOwn = caller.kind === "key" && caller.accountId === apiKey.accountId;
  if (!isOwn && !actsForAnyAccount(caller)) throw new AppError("API_KEY_NOT_FOUND");
  return apiKey;
}
