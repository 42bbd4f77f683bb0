import { matchesModelPattern } from "@farebox/pricing/model-pattern";
import type { ApiKey, KeyScope } from "./api-key.ts";

/** What a key opens, and until when. */
export type KeyRights = Pick<ApiKey, "scopes" | "allowedModels" | "expireTimeMs">;

/** The part of a key that reaches further than another key does. */
export type ExcessRight =
  | { readonly kind: "scope"; readonly scope: KeyScope }
  | { readonly kind: "allowed_models" }
  /** `endMs` is the maker's own end. */
  | { readonly kind: "expire_time"; readonly endMs: number };

/**
 * The first right by which a key would go beyond the one that makes it; undefined when it goes beyond it in none. A key
 * without models may use all of them, and one without an end never ends, so that leaving either out asks for the most.
 *
 * A model pattern is within the maker's when a single one of these stands for all that it stands for: several that only do
 * so together are not added up.
 */
export function findExcessRight(maker: KeyRights, wanted: KeyRights): ExcessRight | undefined {
  const scope = wanted.scopes.find((it) => !maker.scopes.includes(it));
  if (scope !== undefined) return { kind: "scope", scope };
  if (!areModelsWithin(maker.allowedModels, wanted.allowedModels)) {
    return { kind: "allowed_models" };
  }
  const endMs = maker.expireTimeMs;
  if (endMs === undefined || (wanted.expireTimeMs ?? Infinity) <= endMs) return undefined;
  return { kind: "expire_time", endMs };
}

function areModelsWithin(held: readonly string[], wanted: readonly string[]): boolean {
  if (held.length === 0) return true;
  if (wanted.length === 0) return held.includes("*");
  return wanted.every((model) => held.some((pattern) => matchesModelPattern(pattern, model)));
}
