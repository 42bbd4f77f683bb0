import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";
import type { Clients } from "./clients.ts";
import type { GatewayConfig } from "./config.ts";
import { createConsoleApi } from "./console-api.ts";
import { createRouteTable } from "./domain/route.ts";
import { createEvents } from "./events.ts";
import { createModelLists } from "./model-lists.ts";
import type { Copies } from "./open-copies.ts";
import type { PublicApiDeps } from "./public-api.ts";
import type { Quota } from "./steps/hold.ts";
import { LiveExchanges } from "./steps/live-exchanges.ts";
import { loadTokenizers } from "./upstream/load-tokenizers.ts";
import { closeTargets, openTargets } from "./upstream/upstream-target.ts";

/** What the public port is made of. */
export type PublicApiParts = {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clients: Clients;
  readonly copies: Copies;
  /** Undefined with billing off. */
  readonly quota: Quota | undefined;
  /** What keeps paid calls from being served, by name. */
  readonly notReady: () => readonly string[];
};

/** Makes all that the public port serves. Connections to upstreams are closed by the stack. */
export async function openPublicApi(
  parts: PublicApiParts,
  config: GatewayConfig,
  stack: AsyncDisposableStack,
): Promise<PublicApiDeps> {
  const { clock, log, metrics, clients, copies, quota, notReady } = parts;
  const { keys, catalog } = copies;
  const targets = openTargets(config.upstreams, {
    keyOf: (variable) => config.upstreamKeys.get(variable)?.reveal(),
    patience: {
      connectMs: connectMsMax,
      firstByteMs: config.upstreamFirstByteMs,
      idleMs: config.streamIdleMs,
    },
    connectionsMax: config.upstreamConnectionsMax,
  });
  stack.defer(() => closeTargets(targets));
  const { monotonicMs } = clock;
  const live = stack.use(new LiveExchanges({ idleMsMax: config.streamIdleMs, monotonicMs }));
  const routes = createRouteTable(config.upstreams);
  const events = createEvents(log, metrics);
  const tokenizers = await loadTokenizers();
  const lists = createModelLists({
    upstreams: config.upstreams,
    pricedModels: (currency) => catalog.models(currency),
    monotonicMs,
  });
  const { bodyBytesMax, answerBytesMax, topUpUrl } = config;
  const limits = { bodyBytesMax, answerBytesMax, topUpUrl };
  return {
    proxy: {
      ...{ keys, routes, targets, live, clock, events, ...limits },
      prices: catalog,
      billing: quota && { quota, tokenizers, clock, events },
    },
    models: { keys, events, lists },
    probes: { notReady },
    consoleApi: createConsoleApi({ clientOf: clients.edge, log, metrics, clock }),
  };
}

const connectMsMax = 10_000;
