import { actsForAnyAccount, type Caller } from "@farebox/kit/rpc-context";
import type { KeyScope } from "./api-key.ts";

/**
 * The first scope that a caller may not hand on, or undefined when it may hand on all: nobody gives what it does not hold.
 * Services and administrators hold everything that a key can.
 */
export function scopeNotHeld(caller: Caller, wanted: readonly KeyScope[]): KeyScope | undefined {
  if (caller.kind === "service" || actsForAnyAccount(caller)) return undefined;
  return wanted.find((scope) => !caller.scopes.has(scope));
}
