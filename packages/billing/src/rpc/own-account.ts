import { fieldError } from "@farebox/kit/app-error";
import type { Caller } from "@farebox/kit/rpc-context";

/** The account that a request means: the one it names, else the caller's own. Errors: INVALID_ARGUMENT for a service. */
export function ownAccount(caller: Caller, accountId: string): string {
  if (accountId !== "") return accountId;
  if (caller.kind === "key") return caller.accountId;
  throw fieldError("account_id", "must name an account: a service has none of its own");
}
