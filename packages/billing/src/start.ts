import { systemClock } from "@farebox/kit/clock";
import { createChain } from "@farebox/kit/interceptors";
import type { Logger } from "@farebox/kit/logger";
import { createMetrics, type Metrics } from "@farebox/kit/metrics";
import { assertDurable, mysqlAppError, openMysql, type Pool } from "@farebox/kit/mysql";
import { openOpsServer } from "@farebox/kit/ops-server";
import { openOrm } from "@farebox/kit/orm";
import { createPageTokens } from "@farebox/kit/page-token";
import { serveGrpc } from "@farebox/kit/serve";
import { type Job, startJobs } from "@farebox/kit/start-jobs";
import type { BillingConfig } from "./config.ts";
import { createEngine } from "./engine.ts";
import { createJobs } from "./jobs.ts";
import { mountServices, type ServicesDeps } from "./mount-services.ts";
import { openCatalogue } from "./open-catalogue.ts";
import { createKeyAuthenticator } from "./operations/authenticate-key.ts";
import { expireGrants } from "./operations/expire-grants.ts";
import { keepPartitions } from "./operations/keep-partitions.ts";
import { syncPrices } from "./operations/sync-prices.ts";
import { openPaymentPort } from "./payment-port.ts";
import { pullOpenRouter } from "./prices/pull-openrouter.ts";
import { readAccessChanges } from "./store/access-changes.ts";
import * as tables from "./store/tables.ts";
import { openAccessFeed } from "./watch/access-feed.ts";

/** A billing process that serves. */
export type Billing = AsyncDisposable & {
  /** Of its gRPC. */
  readonly port: number;
  /** Of `/healthz`, `/readyz` and `/metrics`. */
  readonly opsPort: number;
};

/**
 * Starts one billing process: opens MySQL, refuses to run where a crash could lose charges, loads the catalogue, and
 * serves. Several may run side by side on one schema. Disposing it lets calls in flight finish, then closes everything.
 */
export async function startBilling(config: BillingConfig, log: Logger): Promise<Billing> {
  await using stack = new AsyncDisposableStack();
  const metrics = createMetrics({ processMetrics: true });
  const deps = await openDeps(stack, config, log, metrics);
  const { host } = config;
  const { pool, orm, clock, pepper } = deps;
  const chain = createChain({
    log,
    metrics,
    clock,
    authenticateKey: createKeyAuthenticator({ orm, clock, pepper }),
    serviceTokens: config.serviceTokens.map((it) => ({ name: "service", token: it.reveal() })),
    translateError: mysqlAppError,
  });
  await keepPartitions(deps, { isServing: false });
  stack.use(startJobs({ clock, log, metrics }, jobsOf(deps, config)));
  const services = mountServices(deps);
  const server = stack.use(await serveGrpc({ host, port: config.port, services, chain }));
  const checks = { mysql: () => ping(pool) };
  const ops = stack.use(await openOpsServer({ host, port: config.opsPort, metrics, checks }));
  log.info({ event: "billing.serving", host, port: server.port, opsPort: ops.port });
  const opened = stack.move();
  return {
    port: server.port,
    opsPort: ops.port,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Opens everything that has a lifetime, in the order that it is closed backwards in. */
async function openDeps(
  stack: AsyncDisposableStack,
  config: BillingConfig,
  log: Logger,
  metrics: Metrics,
): Promise<ServicesDeps> {
  const clock = systemClock;
  const url = config.databaseUrl.reveal();
  const ormConnections = Math.max(2, Math.floor(config.mysqlConnections / 4));
  const pool = openMysql({
    url,
    connectionsMax: config.mysqlConnections - ormConnections,
    multipleStatements: true,
  });
  stack.defer(() => pool.end());
  await requireDurable(pool, config, log);
  const orm = stack.use(
    openOrm({ url, connectionsMax: ormConnections, entities: Object.values(tables) }),
  );
  const catalogue = stack.use(await openCatalogue({ config, orm, clock, log }));
  const accessFeed = stack.use(
    openAccessFeed({ readChanges: (sinceMs) => readAccessChanges(orm, sinceMs), clock, log }),
  );
  return {
    ...createEngine({ config, pool, clock, log, metrics, catalogue }),
    orm,
    log,
    catalogue,
    accessFeed,
    createPayment: paymentOf(stack, config),
    pepper: config.apiKeyPepper,
    pageTokens: createPageTokens([config.pageTokenSecret.reveal()]),
    pull: (effectiveFrom, signal) =>
      pullOpenRouter(config.openRouterModelsUrl, effectiveFrom, signal),
  };
}

/** How money is collected; undefined where no Payment is configured, and recharges are refused. */
function paymentOf(
  stack: AsyncDisposableStack,
  config: BillingConfig,
): ServicesDeps["createPayment"] {
  const [token] = config.serviceTokens;
  if (config.paymentAddress === undefined || token === undefined) return undefined;
  const options = { address: config.paymentAddress, serviceToken: token.reveal() };
  return stack.use(openPaymentPort(options)).createPayment;
}

const hourMs = 3_600_000;

function jobsOf(deps: ServicesDeps, config: BillingConfig): readonly Job[] {
  const jobs = createJobs({ ...deps, expireGrants: (signal) => expireGrants(deps, signal) });
  if (config.priceSync === "off") return jobs;
  const run = async (signal: AbortSignal) => void (await syncPrices(deps, signal));
  return [...jobs, { name: "sync_prices", periodMs: hourMs, run }];
}

/** A lost charge is worse than a service that does not start, unless the operator has decided otherwise. */
async function requireDurable(pool: Pool, config: BillingConfig, log: Logger): Promise<void> {
  try {
    await assertDurable(pool);
  } catch (err) {
    if (!config.allowRelaxedDurability) throw err;
    log.warn({ event: "mysql.not_durable", err });
  }
}

async function ping(pool: Pool): Promise<void> {
  await pool.query("SELECT 1");
}
