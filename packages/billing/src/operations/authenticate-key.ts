import type { Clock } from "@farebox/kit/clock";
import type { Secret } from "@farebox/kit/env";
import { formatId, looksLikeKey } from "@farebox/kit/ids";
import type { Orm } from "@farebox/kit/orm";
import type { Caller } from "@farebox/kit/rpc-context";
import { type ApiKey, isKeyUsable } from "../domain/api-key.ts";
import { findApiKeysByHash } from "../store/api-key-store.ts";
import { hashSecret } from "./hash-secret.ts";

export type AuthenticateKeyDeps = {
  readonly orm: Orm;
  readonly clock: Clock;
  readonly pepper: Secret;
};

/** How long a key is believed without asking again: half of the second within which a revocation takes effect. */
const knownMsMax = 500;
/** A hash that no key has stays so: secrets are random, so that none can be made later that somebody tried before. */
const unknownMsMax = 10_000;
const cachedMax = 10_000;

/**
 * Makes the function that finds the holder of an API key: undefined when it is unknown, revoked, disabled or expired. A
 * key is found by the keyed hash of its secret, so that the time it takes says nothing about any secret. State and end are
 * checked at every use. Rejects with UNAVAILABLE when MySQL does not answer.
 */
export function createKeyAuthenticator(
  deps: AuthenticateKeyDeps,
): (secret: string) => Promise<Caller | undefined> {
  const cached = new Map<string, { readonly key: ApiKey | undefined; readonly untilMs: number }>();
  return async (secret) => {
    if (!looksLikeKey(secret)) return undefined;
    const hash = hashSecret(deps.pepper, secret);
    const name = hash.toString("latin1");
    const known = cached.get(name);
    if (known !== undefined && deps.clock.monotonicMs() < known.untilMs) {
      return callerOf(known.key, deps.clock.nowMs());
    }
    const readMs = deps.clock.monotonicMs();
    const [key] = await deps.orm.read((em) => findApiKeysByHash(em, [hash]));
    // Full caches start again: guesses must not grow this process.
    if (cached.size >= cachedMax) cached.clear();
    cached.set(name, { key, untilMs: readMs + (key ? knownMsMax : unknownMsMax) });
    return callerOf(key, deps.clock.nowMs());
  };
}

function callerOf(key: ApiKey | undefined, nowMs: number): Caller | undefined {
  if (key === undefined || !isKeyUsable(key, nowMs)) return undefined;
  return {
    kind: "key",
    apiKeyId: formatId("key", key.id),
    accountId: key.accountId,
    userId: key.userId,
    scopes: new Set(key.scopes),
  };
}
