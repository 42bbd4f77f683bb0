import { systemClock } from "@farebox/kit/clock";
import { listenPort } from "@farebox/kit/listen-port";
import type { Logger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import { listen, openOpsServer } from "@farebox/kit/ops-server";
import { openClients } from "./clients.ts";
import type { GatewayConfig } from "./config.ts";
import { createPublicServer } from "./http/public-server.ts";
import { openCopies } from "./open-copies.ts";
import { openInterceptor } from "./open-interceptor.ts";
import { openPublicApi } from "./open-public-api.ts";
import { servePublic } from "./public-api.ts";

/** A gateway that serves. */
export type Gateway = AsyncDisposable & {
  /** Of `/v1/…` and the edge. */
  readonly port: number;
  /** Of `/healthz`, `/readyz` and `/metrics`. */
  readonly opsPort: number;
};

/**
 * Starts a gateway: opens its journal, connects to Billing, and serves. It listens at once and refuses paid calls until what
 * its journal held is settled and the price list is complete; `/readyz` says so.
 *
 * Disposing it loses no call in flight: it stops listening, lets them finish within the bound, settles, returns its leases and
 * closes the journal. What is not done by then is in the journal, for the next start.
 */
export async function startGateway(config: GatewayConfig, log: Logger): Promise<Gateway> {
  await using stack = new AsyncDisposableStack();
  const base = { clock: systemClock, log, metrics: createMetrics({ processMetrics: true }) };
  const clients = stack.use(
    openClients({
      address: config.billingAddress,
      paymentAddress: config.paymentAddress,
      deviceAddress: config.deviceAddress,
      serviceToken: config.serviceToken.reveal(),
    }),
  );
  const opened =
    config.billing === "on"
      ? await openInterceptor({ ...base, clients }, config, stack)
      : undefined;
  const copies = openCopies({ ...base, clients, opened }, config, stack);
  const notReady = () => [
    ...(copies.catalog.isComplete ? [] : ["catalogue"]),
    ...(opened === undefined || opened.settlement.isReady ? [] : ["settlement"]),
  ];
  const parts = { ...base, clients, copies, quota: opened?.interceptor, notReady };
  const api = await openPublicApi(parts, config, stack);
  const server = createPublicServer((request) => servePublic(api, request), config.connectionsMax);
  const { host, opsPort } = config;
  const port = await listenPort((wish) => listen(server.server, host, wish), config.port);
  stack.defer(() => server.drain(config.shutdownMsMax));
  const checks = { gateway: async () => requireReady(notReady()) };
  const ops = stack.use(
    await openOpsServer({ host, port: opsPort, metrics: base.metrics, checks }),
  );
  log.info({ event: "gateway.listening", host, port, opsPort: ops.port });
  const owned = stack.move();
  return { port, opsPort: ops.port, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function requireReady(failing: readonly string[]): void {
  if (failing.length > 0) throw new Error(`not ready: ${failing.join(", ")}`);
}
