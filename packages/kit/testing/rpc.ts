import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, createRouterTransport } from "@connectrpc/connect";
import { systemClock } from "../src/clock.ts";
import { connectRoutes } from "../src/connect-mount.ts";
import { createGrpcClient, type GrpcClient } from "../src/grpc-client.ts";
import { createChain, type RpcChain, type RpcChainOptions } from "../src/interceptors.ts";
import { createLogger } from "../src/logger.ts";
import { createMetrics } from "../src/metrics.ts";
import type { Caller } from "../src/rpc-context.ts";
import { serveGrpc } from "../src/serve.ts";
import type { ServiceMount } from "../src/service-mount.ts";

/** Callers of a test by the API key they present; the service token of every test server is `testServiceToken`. */
export type TestCallers = Readonly<Record<string, Caller>>;

export const testServiceToken = "test-service-token";

/** A served test: clients for its services as different callers, closed with it. */
export type TestServer = AsyncDisposable & {
  readonly address: string;
  /** As a service by default; with a key as that caller. */
  client<S extends DescService>(service: S, key?: string): GrpcClient<S>;
};

/** A chain that logs nothing, knows these callers, and takes `testServiceToken`. */
export function testChain(
  callers: TestCallers = {},
  options: Partial<RpcChainOptions> = {},
): RpcChain {
  return createChain({
    log: createLogger({ name: "test", level: "silent" }),
    metrics: createMetrics(),
    clock: systemClock,
    authenticateKey: async (key) => (Object.hasOwn(callers, key) ? callers[key] : undefined),
    serviceTokens: [{ name: "test", token: testServiceToken }],
    ...options,
  });
}

/** Serves the mounts on a real gRPC server on a free loopback port. */
export async function serveForTest(
  mounts: readonly ServiceMount[],
  callers: TestCallers = {},
  options: Partial<RpcChainOptions> = {},
): Promise<TestServer> {
  const server = await serveGrpc({
    host: "127.0.0.1",
    port: { port: 0, explicit: true },
    services: mounts,
    chain: testChain(callers, options),
    drainMsMax: 500,
  });
  const address = `127.0.0.1:${server.port}`;
  const clients: { close(): void }[] = [];
  return {
    address,
    client: (service, key) => {
      const credential =
        key === undefined
          ? { serviceToken: testServiceToken }
          : { metadata: { authorization: `Bearer ${key}` } };
      const client = createGrpcClient(service, { address, deadlineMs: 10_000, ...credential });
      clients.push(client);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The same chain without a socket: a Connect client over the in-memory router transport. */
export function inMemoryClient<S extends DescService>(
  service: S,
  mounts: readonly ServiceMount[],
  callers: TestCallers = {},
  key?: string,
): Client<S> {
  const transport = createRouterTransport(connectRoutes(mounts, testChain(callers)), {
    transport: {
      interceptors: [
        (next) => (req) => {
          if (key === undefined) req.header.set("x-service-token", testServiceToken);
          else req.header.set("authorization", `Bearer ${key}`);
          return next(req);
        },
      ],
    },
  });
  return createClient(service, transport);
}
