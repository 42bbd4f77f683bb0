import { createHmac } from "node:crypto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type ApiKey, ApiKeyState } from "@farebox/proto/farebox/billing/v1/account";
import type { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import type { Clock } from "./clock.ts";
import type { Secret } from "./env.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { looksLikeKey } from "./ids.ts";
import type { Caller, Scope } from "./rpc-context.ts";

/**
 * Finds the holder of an API key by asking Billing each time: what is done here is rare and moves money, so that nothing is
 * remembered. Rejects with UNAVAILABLE when Billing does not answer.
 */
export function createKeyAuthenticator(deps: {
  readonly accounts: Pick<GrpcClient<typeof AccountService>, "resolveApiKeys">;
  readonly pepper: Secret;
  readonly clock: Clock;
}): (secret: string, signal: AbortSignal) => Promise<Caller | undefined> {
  return async (secret, signal) => {
    if (!looksLikeKey(secret)) return undefined;
    const hash = createHmac("sha256", deps.pepper.reveal()).update(secret).digest();
    const { keys } = await deps.accounts.resolveApiKeys({ keyHashes: [hash] }, { signal });
    const [key] = keys;
    return key?.found && key.apiKey ? callerOf(key.apiKey, deps.clock.nowMs()) : undefined;
  };
}

function callerOf(key: ApiKey, nowMs: number): Caller | undefined {
  const hasEnded = key.expireTime !== undefined && timestampMs(key.expireTime) <= nowMs;
  if (key.state !== ApiKeyState.ACTIVE || hasEnded) return undefined;
  const { id: apiKeyId, accountId, userId } = key;
  return { kind: "key", apiKeyId, accountId, userId, scopes: new Set(key.scopes.flatMap(scopeOf)) };
}

const scopes: readonly Scope[] = ["INFERENCE", "BILLING_READ", "BILLING_WRITE", "DEVICE", "ADMIN"];

/** The contract's word for a scope that Billing spells "billing:read". */
function scopeOf(word: string): readonly Scope[] {
  const name = word.toUpperCase().replace(":", "_");
  return scopes.filter((scope) => scope === name);
}
