import { Server, ServerCredentials } from "@grpc/grpc-js";
import { mountGrpc } from "./grpc-mount.ts";
import type { RpcChain } from "./interceptors.ts";
import { listenPort, type PortWish } from "./listen-port.ts";
import { addReflectionAndHealth } from "./reflection.ts";
import type { ServiceMount } from "./service-mount.ts";

/** A gRPC server that serves until it is disposed. */
export type GrpcServer = AsyncDisposable & { readonly port: number };

const messageBytesMax = 4 * 1024 * 1024;

/**
 * Serves gRPC in clear text, with reflection and health.
 *
 * Disposal answers health with NOT_SERVING, takes no more calls, ends streams with UNAVAILABLE, and lets unary calls
 * finish within `drainMsMax` (default 5000); then it cuts them off.
 */
export async function serveGrpc(options: {
  readonly host: string;
  readonly port: PortWish;
  readonly services: readonly ServiceMount[];
  readonly chain: RpcChain;
  readonly drainMsMax?: number;
}): Promise<GrpcServer> {
  const server = new Server({
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.max_send_message_length": messageBytesMax,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
  });
  const closing = new AbortController();
  for (const mount of options.services) mountGrpc(server, mount, options.chain, closing.signal);
  const health = addReflectionAndHealth(
    server,
    options.services.map((mount) => mount.service),
  );
  const port = await listenPort((wished) => bind(server, options.host, wished), options.port);
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      health.setServing(false);
      closing.abort();
      await shutDown(server, options.drainMsMax ?? 5000);
    },
  };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
}

function shutDown(server: Server, drainMsMax: number): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = setTimeout(() => server.forceShutdown(), drainMsMax);
    server.tryShutdown(() => {
      clearTimeout(giveUp);
      resolve();
    });
  });
}
