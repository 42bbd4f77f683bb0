import { systemClock } from "@farebox/kit/clock";
import { createChain } from "@farebox/kit/interceptors";
import type { Logger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import { assertDurable, mysqlAppError, openMysql, type Pool } from "@farebox/kit/mysql";
import { openOpsServer } from "@farebox/kit/ops-server";
import { createPageTokens } from "@farebox/kit/page-token";
import { serveGrpc } from "@farebox/kit/serve";
import { type ServiceMount, serviceMount } from "@farebox/kit/service-mount";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { CatalogService } from "@farebox/proto/farebox/billing/v1/catalog_service";
import { ReportService } from "@farebox/proto/farebox/billing/v1/report_service";
import type { BillingConfig } from "./config.ts";
import { openCatalogue } from "./open-catalogue.ts";
import { createKeyAuthenticator } from "./operations/authenticate-key.ts";
import { pullOpenRouter } from "./prices/pull-openrouter.ts";
import { accountService } from "./rpc/account-service.ts";
import { catalogService } from "./rpc/catalog-service.ts";
import { reportService } from "./rpc/report-service.ts";
import { readAccessChanges } from "./store/access-changes.ts";
import { openOrm } from "./store/orm.ts";
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
  const clock = systemClock;
  const metrics = createMetrics({ processMetrics: true });
  const ormConnections = Math.max(2, Math.floor(config.mysqlConnections / 4));
  const url = config.databaseUrl.reveal();
  const pool = openMysql({ url, connectionsMax: config.mysqlConnections - ormConnections });
  stack.defer(() => pool.end());
  await requireDurable(pool, config, log);
  const orm = stack.use(openOrm({ url, connectionsMax: ormConnections }));
  const catalogue = stack.use(await openCatalogue({ config, orm, clock, log }));
  const accessFeed = stack.use(
    openAccessFeed({ readChanges: (sinceMs) => readAccessChanges(orm, sinceMs), clock, log }),
  );
  const pageTokens = createPageTokens([config.pageTokenSecret.reveal()]);
  const pepper = config.apiKeyPepper;
  const pull = (effectiveFrom: string, signal: AbortSignal) =>
    pullOpenRouter(config.openRouterModelsUrl, effectiveFrom, signal);
  const deps = { clock, log, metrics, pool, orm, catalogue, accessFeed, pageTokens, pepper, pull };
  const chain = createChain({
    log,
    metrics,
    clock,
    authenticateKey: createKeyAuthenticator({ orm, clock, pepper }),
    serviceTokens: config.serviceTokens.map((token) => ({
      name: "service",
      token: token.reveal(),
    })),
    translateError: mysqlAppError,
  });
  const services = mountServices(deps);
  const { host } = config;
  const ops = stack.use(
    await openOpsServer({
      host,
      port: config.opsPort,
      metrics,
      checks: { mysql: () => ping(pool) },
    }),
  );
  const server = stack.use(await serveGrpc({ host, port: config.port, services, chain }));
  log.info({ event: "billing.serving", host, port: server.port, opsPort: ops.port });
  const opened = stack.move();
  return {
    port: server.port,
    opsPort: ops.port,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function mountServices(deps: any): readonly ServiceMount[] {
  return [
    serviceMount(AccountService, accountService({ ...deps, grantCredit: async () => ({}) })),
    serviceMount(CatalogService, catalogService(deps)),
    serviceMount(ReportService, reportService(deps)),
  ];
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
