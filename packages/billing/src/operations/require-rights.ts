import { AppError } from "@farebox/kit/app-error";
import { parseId } from "@farebox/kit/ids";
import { actsForAnyAccount, type Caller } from "@farebox/kit/rpc-context";
import type { EntityManager } from "@mikro-orm/mysql";
import { scopeNames } from "../domain/api-key.ts";
import { type ExcessRight, findExcessRight, type KeyRights } from "../domain/key-rights.ts";
import { findApiKey } from "../store/api-key-store.ts";

/**
 * Refuses a caller that would hand on a key which reaches further than its own: in scopes, in models or in time. Services and
 * administrators may hand on any.
 *
 * Errors: PERMISSION_DENIED, naming the first scope that is missing, or the field that asks for too much; UNAUTHENTICATED
 * when the caller's key is gone.
 */
export async function requireRights(
  em: EntityManager,
  caller: Caller,
  wanted: KeyRights,
): Promise<void> {
  if (caller.kind === "service" || actsForAnyAccount(caller)) return;
  const id = parseId("key", caller.apiKeyId);
  const own = id && (await findApiKey(em, id));
  if (own === undefined) throw new AppError("UNAUTHENTICATED");
  const excess = findExcessRight(own, wanted);
  if (excess !== undefined) throw excessError(excess);
}

function excessError(excess: ExcessRight): AppError {
  switch (excess.kind) {
    case "scope": {
      const scope = scopeNames[excess.scope];
      const why = `A key with the scope ${scope} can only be handed on by one who holds it.`;
      return new AppError("PERMISSION_DENIED", why, { metadata: { scope } });
    }
    case "allowed_models":
      return fieldDenied(excess.kind, "must name only models that the calling key may use itself");
    case "expire_time": {
      const end = new Date(excess.endMs).toISOString();
      return fieldDenied(
        excess.kind,
        `must be set and not be after ${end}, when the calling key ends`,
      );
    }
  }
}

function fieldDenied(field: string, why: string): AppError {
  return new AppError("PERMISSION_DENIED", `${field}: ${why}`, { metadata: { field } });
}
