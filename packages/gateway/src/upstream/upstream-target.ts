import { Pool } from "undici";
import { clientDialect, type Upstream } from "../domain/upstream.ts";

/** An upstream that can be called: its connections, and what every call to it carries. */
export type UpstreamTarget = {
  readonly pool: Pool;
  /** Where the endpoint is appended. */
  readonly basePath: string;
  /** Header names and values by turns that go before the client's own. */
  readonly headers: readonly string[];
};

/** How long an upstream may take, in milliseconds. */
export type UpstreamPatience = {
  /** To accept a connection. */
  readonly connectMs: number;
  /** To the first byte of an answer. */
  readonly firstByteMs: number;
  /** Between two parts of an answer. */
  readonly idleMs: number;
};

/**
 * Opens the connections of every upstream, lazily: nothing is dialled before the first call. `keyOf` finds the operator's
 * key by the name of its environment variable; an upstream without one is called without a credential. Redirects are not
 * followed and failed calls are not repeated: an attempt is one physical call.
 */
export function openTargets(
  upstreams: readonly Upstream[],
  options: {
    readonly keyOf: (variable: string) => string | undefined;
    readonly patience: UpstreamPatience;
    readonly connectionsMax: number;
  },
): ReadonlyMap<string, UpstreamTarget> {
  const { patience, connectionsMax } = options;
  const targets = new Map<string, UpstreamTarget>();
  for (const upstream of upstreams) {
    const key = upstream.apiKeyEnv === undefined ? undefined : options.keyOf(upstream.apiKeyEnv);
    targets.set(upstream.name, {
      pool: new Pool(upstream.origin, {
        connections: connectionsMax,
        pipelining: 1,
        connectTimeout: patience.connectMs,
        headersTimeout: patience.firstByteMs,
        bodyTimeout: patience.idleMs,
      }),
      basePath: upstream.basePath,
      headers: ["accept-encoding", "identity", ...credential(upstream, key)],
    });
  }
  return targets;
}

/** Closes every connection; calls in flight break. */
export async function closeTargets(targets: ReadonlyMap<string, UpstreamTarget>): Promise<void> {
  await Promise.all([...targets.values()].map(({ pool }) => pool.destroy()));
}

function credential(upstream: Upstream, key: string | undefined): readonly string[] {
  if (key === undefined) return [];
  return clientDialect(upstream) === "anthropic"
    ? ["x-api-key", key]
    : ["authorization", `Bearer ${key}`];
}
