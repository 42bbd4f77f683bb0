import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";
import type { Clients } from "./clients.ts";
import type { GatewayConfig } from "./config.ts";
import { AccessCache } from "./interceptor/access/access-cache.ts";
import { CatalogCache } from "./interceptor/access/catalog-cache.ts";
import { followWatch } from "./interceptor/access/watch-loop.ts";
import type { OpenBilling } from "./interceptor/open-billing.ts";

/** What following Billing needs. */
export type OpenCopiesDeps = {
  readonly clients: Clients;
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined with billing off. */
  readonly opened: OpenBilling | undefined;
};

/** The gateway's copies of what Billing knows: keys and prices. */
export type Copies = { readonly keys: AccessCache; readonly catalog: CatalogCache };

/** Opens the copies and follows their changes until the stack is disposed. */
export function openCopies(
  deps: OpenCopiesDeps,
  config: GatewayConfig,
  stack: AsyncDisposableStack,
): Copies {
  const { clients, clock, log, opened } = deps;
  const hasLease = (accountId: string) => opened?.book.hasLease(accountId) ?? false;
  const keys = new AccessCache({
    resolveApiKeys: (req) => clients.accounts.resolveApiKeys(req),
    pepper: config.apiKeyPepper.reveal(),
    clock,
    hasLease,
  });
  const isReachable = () => opened?.settlement.isConnected ?? true;
  const catalog = new CatalogCache({ clock, log, isReachable, hasLease });
  const stopping = new AbortController();
  const following = { clock, log, signal: stopping.signal };
  const loops = [
    followWatch(following, {
      name: "access",
      open: () => clients.accounts.watchAccess({}),
      take: (message) => keys.take(message),
      silentMsMax: accessSilentMsMax,
    }),
    followWatch(following, {
      name: "catalog",
      open: () => clients.catalog.watchCatalog({}),
      take: (message) => catalog.take(message),
      silentMsMax: catalogSilentMsMax,
    }),
  ];
  stack.defer(async () => {
    stopping.abort();
    await Promise.all(loops);
  });
  return { keys, catalog };
}

/** Heartbeats come every 500 ms and every second. */
const accessSilentMsMax = 2000;
const catalogSilentMsMax = 5000;
