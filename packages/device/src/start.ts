import { randomInt } from "node:crypto";
import { createKeyAuthenticator } from "@farebox/kit/authenticate-key";
import { type Clock, systemClock } from "@farebox/kit/clock";
import { newUuidText } from "@farebox/kit/ids";
import { createChain } from "@farebox/kit/interceptors";
import type { Logger } from "@farebox/kit/logger";
import { createMetrics, type Metrics } from "@farebox/kit/metrics";
import { assertDurable, mysqlAppError, openMysql } from "@farebox/kit/mysql";
import { openOpsServer } from "@farebox/kit/ops-server";
import { createPageTokens } from "@farebox/kit/page-token";
import { closeRedis, openRedis } from "@farebox/kit/redis";
import { serveGrpc } from "@farebox/kit/serve";
import { serviceMount } from "@farebox/kit/service-mount";
import { startJobs } from "@farebox/kit/start-jobs";
import { DeviceService } from "@farebox/proto/farebox/device/v1/device_service";
import { openBillingPort } from "./billing-port.ts";
import type { DeviceConfig } from "./config.ts";
import { createDeviceEvents } from "./device-events.ts";
import { openEngines } from "./docker/engines.ts";
import { readSteady } from "./domain/steady-time.ts";
import { createJobs } from "./jobs.ts";
import { createCollector } from "./operations/collect.ts";
import type { DeviceDeps } from "./operations/device-deps.ts";
import { createRateCards } from "./operations/rate-cards.ts";
import { createReportPolicy } from "./operations/report-policy.ts";
import { createShowSamples } from "./operations/show-samples.ts";
import { deviceService } from "./rpc/device-service.ts";
import { readInstallation } from "./store/node-store.ts";

/** A device process that serves. */
export type DeviceServer = AsyncDisposable & {
  /** Of its gRPC. */
  readonly port: number;
  /** Of `/healthz`, `/readyz` and `/metrics`. */
  readonly opsPort: number;
};

/**
 * Starts one device process: opens MySQL and Redis, refuses to run where a crash could lose what was promised, and serves.
 * Several may run side by side on one schema. Disposing it lets calls in flight finish, then closes everything; devices go on.
 */
export async function startDevice(config: DeviceConfig, log: Logger): Promise<DeviceServer> {
  await using stack = new AsyncDisposableStack();
  const metrics = createMetrics({ processMetrics: true });
  const redis = openRedis({ url: config.redisUrl, name: "device", log });
  stack.defer(() => closeRedis(redis));
  const { deps, accounts } = await openDeps(stack, config, log, metrics);
  const { host } = config;
  const { pool, clock } = deps;
  const show = createShowSamples(redis, deps.events);
  const collector = stack.use(createCollector({ ...deps, show }, newUuidText()));
  const policy = createReportPolicy({
    timeoutMs: config.relayTimeoutMs,
    retriesMax: config.relayRetriesMax,
    breakerFailures: config.breakerFailures,
    breakerOpenMs: config.breakerOpenMs,
  });
  stack.use(startJobs({ clock, log, metrics }, createJobs({ ...deps, policy, redis }, collector)));
  const chain = createChain({
    ...{ log, metrics, clock },
    authenticateKey: createKeyAuthenticator({ accounts, pepper: config.apiKeyPepper, clock }),
    serviceTokens: config.serviceTokens.map((it) => ({ name: "service", token: it.reveal() })),
    translateError: mysqlAppError,
  });
  const pageTokens = createPageTokens([config.pageTokenSecret.reveal()]);
  const services = [serviceMount(DeviceService, deviceService({ ...deps, redis, pageTokens }))];
  const server = stack.use(await serveGrpc({ host, port: config.port, services, chain }));
  const checks = { mysql: async () => void (await pool.query("SELECT 1")) };
  const ops = stack.use(await openOpsServer({ host, port: config.opsPort, metrics, checks }));
  log.info({ event: "device.serving", host, port: server.port, opsPort: ops.port });
  const opened = stack.move();
  return {
    port: server.port,
    opsPort: ops.port,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** The machine's clocks, where the wall's jumps do not count as time. */
function steadyClock(): Clock {
  const { monotonicMs } = systemClock;
  let reading = { timeMs: systemClock.nowMs(), monotonicMs: monotonicMs() };
  return {
    ...systemClock,
    nowMs: () => {
      const now = { wallMs: systemClock.nowMs(), monotonicMs: monotonicMs() };
      reading = readSteady(reading, now);
      return Math.trunc(reading.timeMs);
    },
  };
}

async function openDeps(
  stack: AsyncDisposableStack,
  config: DeviceConfig,
  log: Logger,
  metrics: Metrics,
) {
  const pool = openMysql({
    url: config.databaseUrl.reveal(),
    connectionsMax: config.mysqlConnections,
  });
  stack.defer(() => pool.end());
  await assertDurable(pool);
  const serviceToken = config.serviceTokens[0]?.reveal() ?? "";
  const { accounts, ...port } = openBillingPort({ address: config.billingAddress, serviceToken });
  stack.use({ [Symbol.dispose]: () => port[Symbol.dispose]() });
  const engines = stack.use(openEngines(config.certFolder));
  const deps: DeviceDeps = {
    ...{
      pool,
      engines,
      clock: steadyClock(),
      terms: config,
      rateCards: createRateCards(systemClock),
    },
    ...{ billing: port.billing, catalog: port.catalog, reports: port.reports },
    events: createDeviceEvents({ log, metrics }),
    installation: await readInstallation(pool),
    pick: (below) => randomInt(below),
  };
  return { deps, accounts };
}
