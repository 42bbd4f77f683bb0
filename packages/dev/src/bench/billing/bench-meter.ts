import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { BillingInterceptor } from "@farebox/gateway/interceptor/billing-interceptor";
import { billingCodecs, createBillingPort } from "@farebox/gateway/interceptor/billing-port";
import { interceptorDefaults } from "@farebox/gateway/interceptor/interceptor-settings";
import { journalDefaults } from "@farebox/gateway/interceptor/journal/journal-settings";
import { openBilling } from "@farebox/gateway/interceptor/open-billing";
import { systemClock } from "@farebox/kit/clock";
import { createGrpcClient } from "@farebox/kit/grpc-client";
import { createLock } from "@farebox/kit/lock";
import { createLogger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import { closeRedis, openRedis } from "@farebox/kit/redis";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import type { Installation } from "../installation.ts";

/** The gateway's own billing interceptor, in this process, against a Billing in another. */
export type BenchMeter = AsyncDisposable & {
  readonly meter: BillingInterceptor;
  /** Resolves when Billing has acknowledged everything that is in the journal, with the time of it (`performance.now`). */
  settled(): Promise<number>;
  /** How many asks for leases it has sent so far, closes not counted: a call that a lease covers needs none. */
  readonly asks: number;
};

const readyMsMax = 30_000;
const settledMsMax = 120_000;
const closeMsMax = 60_000;
const lockTtlMs = 2_000;
const lockWaitMsMax = 50;

/** Opens it as a gateway does, Redlock and fsynced journal included. Disposing returns all leases. */
export async function openBenchMeter(
  installation: Pick<Installation, "home" | "billingAddress" | "secrets" | "redisUrl">,
): Promise<BenchMeter> {
  const { home, billingAddress, secrets, redisUrl } = installation;
  const log = createLogger({
    name: "bench",
    write: (line) => appendFileSync(join(home, "logs", "bench.log"), line),
  });
  const client = createGrpcClient(BillingService, {
    address: billingAddress,
    serviceToken: secrets.serviceToken,
    deadlineMs: interceptorDefaults.deadlineMs,
    codecs: billingCodecs,
  });
  const redis = openRedis({ url: redisUrl, name: "bench", log, autoPipeline: true });
  const lock = createLock({
    clients: [redis],
    ttlMs: lockTtlMs,
    waitMsMax: lockWaitMsMax,
    log,
    metrics: createMetrics(),
  });
  const billing = await openBilling(
    { billing: createBillingPort(client), lock, clock: systemClock, log },
    { ...interceptorDefaults, journal: { ...journalDefaults, directory: join(home, "journal") } },
  );
  await billing.ready(AbortSignal.timeout(readyMsMax));
  return {
    meter: billing.interceptor,
    get asks() {
      return billing.batcher.figures.asks;
    },
    settled: async () => {
      await billing.journal.durable();
      const { durablePosition } = billing.journal;
      await billing.settlement.settled(durablePosition, AbortSignal.timeout(settledMsMax));
      return performance.now();
    },
    [Symbol.asyncDispose]: async () => {
      await billing.close(AbortSignal.timeout(closeMsMax));
      client.close();
      await closeRedis(redis);
    },
  };
}
