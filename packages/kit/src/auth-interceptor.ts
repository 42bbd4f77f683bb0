import { hash, timingSafeEqual } from "node:crypto";
import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { access, Scope as ScopeNumbers } from "@farebox/proto/farebox/common/v1/access";
import { AppError } from "./app-error.ts";
import { actsForAnyAccount, type Caller, type Scope } from "./rpc-context.ts";

/** The headers of a call, on either transport. */
export type RpcMetadata = { get(name: string): string | undefined };

/** Finds the holder of an API key; undefined for keys that are unknown, revoked, disabled or expired. */
export type AuthenticateKey = (secret: string, signal: AbortSignal) => Promise<Caller | undefined>;

/** A token of our own processes. `name` is the caller's name in logs; several at once allow rotation. */
export type ServiceToken = { readonly name: string; readonly token: string };

/**
 * Finds out who calls. A key wins over a service token, so that a service that forwards its client's key acts with that
 * client's rights and no more. Throws UNAUTHENTICATED.
 */
export function createAuthenticator(options: {
  readonly authenticateKey: AuthenticateKey;
  readonly serviceTokens: readonly ServiceToken[];
}): (metadata: RpcMetadata, signal: () => AbortSignal) => Caller | Promise<Caller> {
  const services = options.serviceTokens.map(({ name, token }) => ({
    caller: { kind: "service", name } satisfies Caller,
    digest: sha256(token),
  }));
  return (metadata, signal) => {
    const key = bearer(metadata.get("authorization")) ?? metadata.get("x-api-key");
    if (key !== undefined) return byKey(options.authenticateKey, key, signal());
    const token = metadata.get("x-service-token");
    if (token === undefined) throw new AppError("UNAUTHENTICATED");
    const digest = sha256(token);
    let found: Caller | undefined;
    // Every token is compared, so that the time taken says nothing about which one matched.
    for (const service of services) {
      if (timingSafeEqual(service.digest, digest)) found = service.caller;
    }
    if (found === undefined) throw new AppError("UNAUTHENTICATED");
    return found;
  };
}

async function byKey(
  authenticateKey: AuthenticateKey,
  key: string,
  signal: AbortSignal,
): Promise<Caller> {
  const caller = key === "" ? undefined : await authenticateKey(key, signal);
  if (caller === undefined) throw new AppError("UNAUTHENTICATED");
  return caller;
}

function bearer(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  return /^bearer +(\S+)$/i.exec(header)?.[1] ?? "";
}

function sha256(text: string): Buffer {
  return hash("sha256", text, "buffer");
}

/** What a method asks of its callers, read from the contract once. */
export type MethodRules = {
  /** Undefined when the contract does not say: then nobody may call. */
  readonly scope: Scope | undefined;
  /** True when the request names an account by `account_id`. */
  readonly hasAccount: boolean;
  /** True when the request can select a tenant, which only ADMIN may. */
  readonly hasTenant: boolean;
};

export function methodRules(method: DescMethod): MethodRules {
  const number = hasOption(method, access) ? getOption(method, access).scope : 0;
  return {
    scope: scopeNames().get(number),
    hasAccount: method.input.fields.some((field) => field.name === "account_id"),
    hasTenant: method.input.fields.some((field) => field.name === "tenant_id"),
  };
}

function scopeNames(): ReadonlyMap<number, Scope> {
  const names = new Map<number, Scope>();
  for (const [name, number] of Object.entries(ScopeNumbers)) {
    if (isScope(name)) names.set(number, name);
  }
  return names;
}

/** True for the name of a scope of the contract. */
function isScope(name: string): name is Scope {
  return name !== "UNSPECIFIED" && Object.hasOwn(ScopeNumbers, name);
}

/** Refuses a caller without the scope that the method asks for. */
export function enforceScope(rules: MethodRules, caller: Caller): void {
  if (rules.scope === undefined) throw new AppError("PERMISSION_DENIED");
  if (caller.kind === "service") return;
  if (rules.scope !== "SERVICE") {
    if (caller.scopes.has("ADMIN") || caller.scopes.has(rules.scope)) return;
  }
  throw new AppError("PERMISSION_DENIED", undefined, { metadata: { scope: rules.scope } });
}

/**
 * Keeps a key to its own account: an empty `account_id` becomes the caller's own, another's is answered as if it did not
 * exist, and a `tenant_id` is refused. Service tokens and ADMIN keys pass untouched.
 */
export function enforceAccount(rules: MethodRules, caller: Caller, request: object): void {
  if (caller.kind === "service" || actsForAnyAccount(caller)) return;
  if (rules.hasTenant && Reflect.get(request, "tenantId")) {
    throw new AppError("PERMISSION_DENIED", "Only an administrator may select a tenant.", {
      metadata: { scope: "ADMIN", field: "tenant_id" },
    });
  }
  if (!rules.hasAccount) return;
  const accountId: unknown = Reflect.get(request, "accountId");
  if (accountId === "" || accountId === undefined) {
    Reflect.set(request, "accountId", caller.accountId);
  } else if (accountId !== caller.accountId) {
    throw new AppError("ACCOUNT_NOT_FOUND");
  }
}
