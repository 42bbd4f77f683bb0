import { createServer, type Server, type ServerResponse } from "node:http";
import { listenPort, type PortWish } from "./listen-port.ts";
import type { Metrics } from "./metrics.ts";

/** Resolves when a dependency is usable, rejects with the reason when not. */
export type ReadinessCheck = (signal: AbortSignal) => Promise<void>;

/** The operations port of a process: `/healthz`, `/livez`, `/readyz`, `/metrics`. */
export type OpsServer = AsyncDisposable & { readonly port: number; readonly url: string };

/**
 * Serves the operations port. Every check runs at each `/readyz`, side by side, each within `checkMsMax` (default 2000);
 * any failure answers 503 and names it, without its cause, which may hold addresses.
 */
export async function openOpsServer(options: {
  readonly host: string;
  readonly port: PortWish;
  readonly metrics: Metrics;
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
  readonly checkMsMax?: number;
}): Promise<OpsServer> {
  const { host, metrics, checks, checkMsMax = 2000 } = options;
  const server = createServer((req, res) => {
    const path = (req.url ?? "/").split("?", 1)[0];
    if (req.method !== "GET" && req.method !== "HEAD") return answer(res, 405, "text/plain", "");
    if (path === "/healthz" || path === "/livez") return answer(res, 200, "text/plain", "ok\n");
    if (path === "/readyz") return void answerReady(res, checks, checkMsMax);
    if (path === "/metrics") return void answerMetrics(res, metrics);
    return answer(res, 404, "text/plain", "");
  });
  server.requestTimeout = 10_000;
  const port = await listenPort((wished) => listen(server, host, wished), options.port);
  return {
    port,
    url: `http://${host}:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answerReady(
  res: ServerResponse,
  checks: Readonly<Record<string, ReadinessCheck>>,
  checkMsMax: number,
): Promise<void> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ({
      name,
      isReady: await passes(check, checkMsMax),
    })),
  );
  const failing = results.filter((result) => !result.isReady).map((result) => result.name);
  const body = JSON.stringify({ ready: failing.length === 0, failing });
  answer(res, failing.length === 0 ? 200 : 503, "application/json", `${body}\n`);
}

/** A check that neither answers nor heeds its signal fails at the deadline all the same. */
function passes(check: ReadinessCheck, checkMsMax: number): Promise<boolean> {
  const signal = AbortSignal.timeout(checkMsMax);
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(false), { once: true });
    check(signal).then(
      () => resolve(true),
      () => resolve(false),
    );
  });
}

async function answerMetrics(res: ServerResponse, metrics: Metrics): Promise<void> {
  try {
    answer(res, 200, metrics.registry.contentType, await metrics.registry.metrics());
  } catch {
    answer(res, 500, "text/plain", "");
  }
}

function answer(res: ServerResponse, status: number, contentType: string, body: string): void {
  res.writeHead(status, { "content-type": contentType, "cache-control": "no-store" });
  res.end(body);
}

/** Listens on an HTTP server; resolves with the port in use. Rejects with the system's error, for `listenPort`. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.removeListener("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
