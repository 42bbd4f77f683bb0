import type { Dialect } from "./domain/call.ts";
import { createRouteTable } from "./domain/route.ts";
import type { Upstream } from "./domain/upstream.ts";
import { type ListedModel, listModels, type PricedModel } from "./upstream/models.ts";

/** The models that clients of a dialect and currency can call, at most a few seconds old. */
export type ModelLists = (dialect: Dialect, currency: string) => readonly ListedModel[];

/**
 * Makes the lists, each kept for a moment: matching thousands of priced models with the routes takes tens of milliseconds,
 * which no client may cost the others at will. The routes are decided apart from those of calls, whose memory is short.
 */
export function createModelLists(deps: {
  readonly upstreams: readonly Upstream[];
  /** Every model with a price in a currency, as of now. */
  readonly pricedModels: (currency: string) => readonly PricedModel[];
  readonly monotonicMs: () => number;
}): ModelLists {
  const routes = createRouteTable(deps.upstreams);
  const kept = new Map<
    string,
    { readonly models: readonly ListedModel[]; readonly atMs: number }
  >();
  return (dialect, currency) => {
    const key = `${dialect} ${currency}`;
    const nowMs = deps.monotonicMs();
    const known = kept.get(key);
    if (known !== undefined && nowMs - known.atMs < keptMs) return known.models;
    const models = listModels(routes, dialect, deps.pricedModels(currency));
    kept.set(key, { models, atMs: nowMs });
    return models;
  };
}

const keptMs = 5000;
