import { matchesModelPattern } from "@farebox/pricing/model-pattern";
import type { Dialect } from "./call.ts";
import { clientDialect, type Upstream } from "./upstream.ts";

/** The upstreams in order, and what was decided before. The decisions are a cache: bounded, and safe to lose. */
export type RouteTable = {
  readonly upstreams: readonly Upstream[];
  readonly decided: { readonly [dialect in Dialect]: Map<string, Route | undefined> };
};

/** Where a model's calls go. */
export type Route = {
  readonly upstream: Upstream;
  /** The name the upstream knows the model by; the client's own unless the operator renames it. */
  readonly upstreamModel: string;
};

/** Makes the table that `chooseUpstream` reads. One a process, or one per reading of the operator's file. */
export function createRouteTable(upstreams: readonly Upstream[]): RouteTable {
  return { upstreams, decided: { openai: new Map(), anthropic: new Map() } };
}

/**
 * Chooses the upstream of a call: the first whose dialect the client speaks and whose patterns name the model. A client may
 * force one by name (`x-farebox-upstream`), but only one that serves the model anyway. Undefined when there is none.
 */
export function chooseUpstream(
  table: RouteTable,
  call: { readonly dialect: Dialect; readonly model: string; readonly forced: string | undefined },
): Route | undefined {
  if (call.forced !== undefined) {
    const { dialect, model, forced } = call;
    return findRoute(
      table.upstreams.filter((it) => it.name === forced),
      { dialect, model },
    );
  }
  const decided = table.decided[call.dialect];
  const known = decided.get(call.model);
  if (known !== undefined || decided.has(call.model)) return known;
  const route = findRoute(table.upstreams, call);
  // Model names come from clients: a full cache starts again, so that nonsense cannot grow it.
  if (decided.size >= decidedMax) decided.clear();
  decided.set(call.model, route);
  return route;
}

function findRoute(
  upstreams: readonly Upstream[],
  call: { readonly dialect: Dialect; readonly model: string },
): Route | undefined {
  for (const upstream of upstreams) {
    if (clientDialect(upstream) !== call.dialect) continue;
    if (!upstream.models.some((it) => matchesModelPattern(it, call.model))) continue;
    return { upstream, upstreamModel: upstream.rename.get(call.model) ?? call.model };
  }
  return undefined;
}

const decidedMax = 1024;
