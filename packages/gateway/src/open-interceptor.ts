import type { Clock } from "@farebox/kit/clock";
import { createLock, type Lock } from "@farebox/kit/lock";
import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";
import { closeRedis, openRedis } from "@farebox/kit/redis";
import type { Clients } from "./clients.ts";
import type { GatewayConfig } from "./config.ts";
import { createBillingPort } from "./interceptor/billing-port.ts";
import { meterBilling } from "./interceptor/interceptor-metrics.ts";
import {
  type InterceptorSettings,
  interceptorDefaults,
} from "./interceptor/interceptor-settings.ts";
import { journalDefaults } from "./interceptor/journal/journal-settings.ts";
import { type OpenBilling, openBilling } from "./interceptor/open-billing.ts";

/** What opening the interceptor needs. */
export type OpenInterceptorDeps = {
  readonly clients: Clients;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
};

/**
 * Opens the billing interceptor as the configuration says: journal, settlement stream, and the quota lock over Redis, without
 * which it works as well. What it opens is closed by the stack, in the right order.
 */
export async function openInterceptor(
  deps: OpenInterceptorDeps,
  config: GatewayConfig,
  stack: AsyncDisposableStack,
): Promise<OpenBilling> {
  const { clients, clock, log, metrics } = deps;
  const lock = openQuotaLock(deps, config, stack);
  const billing = createBillingPort(clients.billing);
  const opened = await openBilling({ billing, lock, clock, log }, settingsOf(config));
  meterBilling(metrics, opened);
  stack.defer(() => opened.close(AbortSignal.timeout(config.shutdownMsMax)));
  return opened;
}

function openQuotaLock(
  { log, metrics }: OpenInterceptorDeps,
  config: GatewayConfig,
  stack: AsyncDisposableStack,
): Pick<Lock, "tryLock" | "tryLockMany"> {
  if (config.quotaLock === "off" || config.redisUrls.length === 0) return noLock;
  const clients = config.redisUrls.map((url) => {
    const redis = openRedis({ url: url.reveal(), name: "gateway", log, autoPipeline: true });
    stack.defer(() => closeRedis(redis));
    return redis;
  });
  const lock = createLock({ clients, ttlMs: lockTtlMs, waitMsMax: lockWaitMsMax, log, metrics });
  stack.defer(() => lock.drain());
  return lock;
}

function settingsOf(config: GatewayConfig): InterceptorSettings {
  return {
    ...interceptorDefaults,
    journal: {
      ...journalDefaults,
      directory: config.journalDir,
      bytesMax: config.journalBytesMax,
      // A bound of a few files at least, or the newest alone would be the bound.
      segmentBytes: Math.min(journalDefaults.segmentBytes, Math.ceil(config.journalBytesMax / 16)),
    },
    quotaLock: config.redisUrls.length === 0 ? "off" : config.quotaLock,
    allowOnError: config.allowOnError,
    graceNanos: config.graceNanos,
  };
}

const noLock: Pick<Lock, "tryLock" | "tryLockMany"> = {
  tryLock: () => Promise.resolve(undefined),
  tryLockMany: (keys) => Promise.resolve(keys.map(() => undefined)),
};
const lockTtlMs = 2000;
const lockWaitMsMax = 50;
