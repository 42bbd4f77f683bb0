import { AppError } from "@farebox/kit/app-error";
import { matchesModelPattern } from "@farebox/pricing/model-pattern";
import type { ModelLimits } from "../domain/absurd.ts";
import type { Dialect, ParsedCall } from "../domain/call.ts";
import { chooseUpstream, type Route, type RouteTable } from "../domain/route.ts";
import type { CallHead } from "../http/call-head.ts";
import { fieldRefusal } from "../http/field-refusal.ts";
import type { AccessEntry } from "../interceptor/access/access-entry.ts";
import type { CatalogCache, CatalogPrice } from "../interceptor/access/catalog-cache.ts";
import { readCall } from "../upstream/read-call.ts";
import type { UpstreamTarget } from "../upstream/upstream-target.ts";

/** A call that can be made: what it asks, where it goes, and what it is charged by. */
export type ResolvedCall = {
  readonly parsed: ParsedCall;
  readonly route: Route;
  readonly target: UpstreamTarget;
  /** Path and query at the upstream. */
  readonly path: string;
  readonly price: CatalogPrice;
  readonly limits: ModelLimits;
};

/** The gateway's copy of the prices. */
export type PriceList = Pick<CatalogCache, "find">;

export type ResolveDeps = {
  readonly routes: RouteTable;
  readonly targets: ReadonlyMap<string, UpstreamTarget>;
  readonly prices: PriceList;
};

/**
 * Finds out what a call asks, where it goes and by which price.
 *
 * Errors: INVALID_ARGUMENT naming the field; MODEL_NOT_ALLOWED, MODEL_NOT_FOUND, MODEL_NOT_PRICED,
 * BILLING_UNAVAILABLE while the price list is missing or too old.
 */
export function resolveCall(deps: ResolveDeps, input: CallInput): ResolvedCall {
  const { dialect, head, holder } = input;
  const read = readCall(dialect, input.body);
  if (read.kind === "fault") throw fieldRefusal(read.field, read.message);
  const parsed = read.call;
  requireAllowed(holder, parsed.model);
  const route = chooseUpstream(deps.routes, {
    dialect,
    model: parsed.model,
    forced: head.upstreamName,
  });
  const target = route === undefined ? undefined : deps.targets.get(route.upstream.name);
  if (route === undefined || target === undefined) {
    throw new AppError("MODEL_NOT_FOUND", undefined, { metadata: { model: parsed.model } });
  }
  const price = deps.prices.find({
    provider: route.upstream.priceProvider,
    model: route.upstreamModel,
    accountId: holder.accountId,
    currency: holder.currency,
    atMs: input.startTimeMs,
  });
  const { contextTokens, maxOutputTokens } = price.price.snapshot;
  return {
    parsed,
    route,
    target,
    path: target.basePath + endpoints[dialect] + input.query,
    price,
    // A price row says 0 where the provider publishes no limit.
    limits: {
      contextTokens: contextTokens === 0 ? undefined : contextTokens,
      maxOutputTokens: maxOutputTokens === 0 ? undefined : maxOutputTokens,
    },
  };
}

/** A call as it came, once its sender is known. */
export type CallInput = {
  readonly dialect: Dialect;
  readonly head: CallHead;
  readonly body: Buffer;
  /** With its question mark; empty for none. */
  readonly query: string;
  readonly holder: AccessEntry;
  /** Milliseconds since 1970; the price in force then applies. */
  readonly startTimeMs: number;
};

/** True when a key may use a model. */
export function isModelAllowed(holder: AccessEntry, model: string): boolean {
  const { allowedModels } = holder;
  return allowedModels.length === 0 || allowedModels.some((it) => matchesModelPattern(it, model));
}

function requireAllowed(holder: AccessEntry, model: string): void {
  if (isModelAllowed(holder, model)) return;
  throw new AppError("MODEL_NOT_ALLOWED", undefined, { metadata: { model } });
}

const endpoints: { readonly [dialect in Dialect]: string } = {
  openai: "/chat/completions",
  anthropic: "/messages",
};
