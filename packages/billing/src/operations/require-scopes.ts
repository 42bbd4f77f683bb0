import { AppError } from "@farebox/kit/app-error";
import { actsForAnyAccount, type Caller } from "@farebox/kit/rpc-context";
import { type KeyScope, scopeNames } from "../domain/api-key.ts";

/**
 * Refuses a caller that would hand on more than it holds. Services and administrators hold everything that a key can.
 * Errors: PERMISSION_DENIED, naming the first scope that is missing.
 */
export function requireScopes(caller: Caller, wanted: readonly KeyScope[]): void {
  if (caller.kind === "service" || actsForAnyAccount(caller)) return;
  const missing = wanted.find((scope) => !caller.scopes.has(scope));
  if (missing === undefined) return;
  const scope = scopeNames[missing];
  const why = `A key with the scope ${scope} can only be made by one who holds it.`;
  throw new AppError("PERMISSION_DENIED", why, { metadata: { scope } });
}
