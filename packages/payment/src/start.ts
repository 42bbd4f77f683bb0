import { createKeyAuthenticator } from "@farebox/kit/authenticate-key";
import { systemClock } from "@farebox/kit/clock";
import { createChain } from "@farebox/kit/interceptors";
import { listenPort } from "@farebox/kit/listen-port";
import type { Logger } from "@farebox/kit/logger";
import { createMetrics, type Metrics } from "@farebox/kit/metrics";
import { assertDurable, mysqlAppError, openMysql } from "@farebox/kit/mysql";
import { listen, openOpsServer } from "@farebox/kit/ops-server";
import { createPageTokens } from "@farebox/kit/page-token";
import { serveGrpc } from "@farebox/kit/serve";
import { serviceMount } from "@farebox/kit/service-mount";
import { startJobs } from "@farebox/kit/start-jobs";
import { PaymentOperationsService } from "@farebox/proto/farebox/payment/v1/payment_operations_service";
import { PaymentService } from "@farebox/proto/farebox/payment/v1/payment_service";
import { openBillingPort } from "./billing-port.ts";
import type { PaymentConfig } from "./config.ts";
import { createPaymentHttp } from "./http/payment-http.ts";
import { createJobs } from "./jobs.ts";
import { hearWebhook } from "./operations/hear-webhook.ts";
import { lookAtPayment, lookAtSetup } from "./operations/look-for-payer.ts";
import type { PaymentDeps } from "./operations/payment-deps.ts";
import { workEvents } from "./operations/work-events.ts";
import { createPaymentEvents } from "./payment-events.ts";
import { createManualProvider } from "./providers/manual/manual-provider.ts";
import { createStripeProvider } from "./providers/stripe/stripe-provider.ts";
import { paymentOperationsService } from "./rpc/payment-operations-service.ts";
import { paymentService } from "./rpc/payment-service.ts";

/** A payment process that serves. */
export type PaymentServer = AsyncDisposable & {
  /** Of its gRPC. */
  readonly port: number;
  /** Of webhooks and the return page. */
  readonly webhookPort: number;
  /** Of `/healthz`, `/readyz` and `/metrics`. */
  readonly opsPort: number;
};

/**
 * Starts one payment process: opens MySQL, refuses to run where a crash could lose what was promised, and serves. Several
 * may run side by side on one schema. Disposing it lets calls in flight finish, then closes everything.
 */
export async function startPayment(config: PaymentConfig, log: Logger): Promise<PaymentServer> {
  await using stack = new AsyncDisposableStack();
  const metrics = createMetrics({ processMetrics: true });
  const deps = await openDeps(stack, config, log, metrics);
  const { host } = config;
  const { pool, clock, accounts } = deps;
  const chain = createChain({
    ...{ log, metrics, clock },
    authenticateKey: createKeyAuthenticator({ accounts, pepper: config.apiKeyPepper, clock }),
    serviceTokens: config.serviceTokens.map((it) => ({ name: "service", token: it.reveal() })),
    translateError: mysqlAppError,
  });
  const jobPeriods = {
    reconcileMs: config.reconcilePeriodMs,
    autoRechargeMs: config.autoRechargePeriodMs,
  };
  stack.use(startJobs({ clock, log, metrics }, createJobs(deps, jobPeriods)));
  const instructions = config.bankTransferInstructions ?? "";
  const reading = { ...deps, pageTokens: createPageTokens([config.pageTokenSecret.reveal()]) };
  const services = [
    serviceMount(PaymentService, paymentService({ ...reading, instructions })),
    serviceMount(PaymentOperationsService, paymentOperationsService(reading)),
  ];
  const server = stack.use(await serveGrpc({ host, port: config.port, services, chain }));
  const webhookPort = await serveHttp(stack, deps, config, log);
  const checks = { mysql: async () => void (await pool.query("SELECT 1")) };
  const ops = stack.use(await openOpsServer({ host, port: config.opsPort, metrics, checks }));
  log.info({ event: "payment.serving", host, port: server.port, webhookPort, opsPort: ops.port });
  const opened = stack.move();
  return {
    port: server.port,
    webhookPort,
    opsPort: ops.port,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function openDeps(
  stack: AsyncDisposableStack,
  config: PaymentConfig,
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
  const port = stack.use(openBillingPort({ address: config.billingAddress, serviceToken }));
  const clock = systemClock;
  const provider = createStripeProvider({
    secretKey: config.stripeSecretKey,
    webhookSecrets: config.stripeWebhookSecrets,
    apiUrl: config.stripeApiUrl,
    publicUrl: config.publicUrl,
    displayName: config.displayName,
  });
  // An installation is in test mode as a whole.
  const { isTest } = provider;
  const manual = createManualProvider({ pool, isTest, nowMs: clock.nowMs });
  const deps: PaymentDeps = {
    ...{ pool, clock, provider },
    ...{ manual, billing: port.billing, accounts: port.accounts },
    events: createPaymentEvents({ log, metrics }),
    kinds: config.methods,
  };
  return deps;
}

/** Serves webhooks and the return page. What is heard is worked on at once, and by the job should that fail. */
async function serveHttp(
  stack: AsyncDisposableStack,
  deps: PaymentDeps,
  config: PaymentConfig,
  log: Logger,
): Promise<number> {
  const stopping = new AbortController();
  const work = createSingleRun(() => workEvents(deps, stopping.signal), log);
  const http = createPaymentHttp({
    log,
    hearWebhook: async (body, signature) => {
      await hearWebhook(deps, body, signature);
      work.start();
    },
    lookAtPayment: (id) => lookAtPayment(deps, id),
    lookAtSetup: (id) => lookAtSetup(deps, id),
  });
  const port = await listenPort((wish) => listen(http, config.host, wish), config.webhookPort);
  stack.defer(async () => {
    await new Promise((closed) => {
      http.close(closed);
      http.closeIdleConnections();
    });
    stopping.abort();
    await work.ended();
  });
  return port;
}

/** Runs something one at a time: a start while it runs makes it run once more. */
function createSingleRun(run: () => Promise<void>, log: Logger) {
  let running: Promise<void> | undefined;
  let isWanted = false;
  const loop = async () => {
    while (isWanted) {
      isWanted = false;
      await run().catch((err: unknown) => log.warn({ event: "work_events.failed", err }));
    }
    running = undefined;
  };
  return {
    start: () => {
      isWanted = true;
      running ??= loop();
    },
    ended: async () => running,
  };
}
