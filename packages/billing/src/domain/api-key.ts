import type { Scope } from "@farebox/kit/rpc-context";

/** A credential of one account. The secret is known only as a keyed hash. */
export type ApiKey = {
  readonly id: Uint8Array;
  readonly accountId: string;
  /** Empty for none. */
  readonly userId: string;
  readonly displayName: string;
  readonly hash: Uint8Array;
  /** The last four characters of the secret, for people. */
  readonly last4: string;
  readonly scopes: readonly KeyScope[];
  /** Globs; empty for every model. */
  readonly allowedModels: readonly string[];
  readonly state: ApiKeyState;
  readonly expireTimeMs: number | undefined;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly revokeTimeMs: number | undefined;
};

export type ApiKeyState = (typeof apiKeyStates)[number];

export const apiKeyStates = ["ACTIVE", "DISABLED", "REVOKED"] as const;

/** A scope that a key can hold: every one but SERVICE. */
export type KeyScope = Exclude<Scope, "SERVICE">;

/** Each scope as the contract spells it in a key. */
export const scopeNames = {
  INFERENCE: "inference",
  BILLING_READ: "billing:read",
  BILLING_WRITE: "billing:write",
  DEVICE: "device",
  ADMIN: "admin",
} as const satisfies Record<KeyScope, string>;

/** What a key is given when nothing is asked for. */
export const defaultScopes: readonly KeyScope[] = ["INFERENCE", "BILLING_READ"];

/** Reads scopes as the contract spells them, each once and in one order; undefined when one is unknown. */
export function readScopes(names: readonly string[]): readonly KeyScope[] | undefined {
  const known = keyScopes.filter((scope) => names.includes(scopeNames[scope]));
  return new Set(names).size === known.length ? known : undefined;
}

/** Whether a key opens anything at an instant: active, and not past its end. */
export function isKeyUsable(key: Pick<ApiKey, "state" | "expireTimeMs">, nowMs: number): boolean {
  return key.state === "ACTIVE" && (key.expireTimeMs === undefined || nowMs < key.expireTimeMs);
}

const keyScopes = [
  "INFERENCE",
  "BILLING_READ",
  "BILLING_WRITE",
  "DEVICE",
  "ADMIN",
] as const satisfies readonly KeyScope[];
