import { AppError } from "@farebox/kit/app-error";
import type { CallHead } from "../http/call-head.ts";
import type { AccessCache } from "../interceptor/access/access-cache.ts";
import type { AccessEntry } from "../interceptor/access/access-entry.ts";

/** The gateway's copy of the keys. */
export type KeyRing = Pick<AccessCache, "find">;

/**
 * Finds out who calls: at once for a key that is known here.
 *
 * Errors: UNAUTHENTICATED; PERMISSION_DENIED for a key without the scope "inference"; BILLING_UNAVAILABLE when nobody can say.
 */
export async function authenticate(keys: KeyRing, head: CallHead): Promise<AccessEntry> {
  if (head.key === undefined || head.key === "") throw new AppError("UNAUTHENTICATED");
  const holder = await keys.find(head.key);
  if (holder.scopes.has("inference") || holder.scopes.has("admin")) return holder;
  throw new AppError("PERMISSION_DENIED", undefined, { metadata: { scope: "inference" } });
}
