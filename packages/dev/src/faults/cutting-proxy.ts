import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP proxy that can be told to misbehave. */
export type CuttingProxy = AsyncDisposable & {
  /** host:port to connect to. */
  readonly address: string;
  /** Lets everything through again. */
  heal(): void;
  /** From now on drops what the server answers, while the server still hears everything. */
  swallowAnswers(): void;
  /** From now on lets nothing through in either direction, as a network that has lost its way. */
  partition(): void;
  /** Breaks every connection; new ones are treated as the proxy was last told. */
  cut(): void;
};

type Mode = "open" | "deaf" | "parted";
type Pair = { readonly client: Socket; readonly server: Socket };

/** Starts a proxy on a port of 127.0.0.1 to wherever `target` says when a connection arrives. */
export async function startCuttingProxy(
  port: number,
  target: () => { readonly host: string; readonly port: number },
): Promise<CuttingProxy> {
  const pairs = new Set<Pair>();
  let mode: Mode = "open";
  const listener = createServer((client) => {
    const server = connect(target());
    const pair = { client, server };
    pairs.add(pair);
    client.on("data", (bytes) => {
      if (mode !== "parted") server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (mode === "open") client.write(bytes);
    });
    for (const socket of [client, server]) {
      socket.on("error", () => undefined);
      socket.on("close", () => end(pairs, pair));
    }
  });
  await listen(listener, port);
  const cut = () => {
    for (const pair of [...pairs]) end(pairs, pair);
  };
  return {
    address: `127.0.0.1:${port}`,
    // What was dropped is missing from the streams for ever, so their connections cannot go on.
    heal: () => {
      const wasOpen = mode === "open";
      mode = "open";
      if (!wasOpen) cut();
    },
    swallowAnswers: () => {
      mode = "deaf";
    },
    partition: () => {
      mode = "parted";
    },
    cut,
    [Symbol.asyncDispose]: () => {
      cut();
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}

function end(pairs: Set<Pair>, pair: Pair): void {
  pairs.delete(pair);
  pair.client.destroy();
  pair.server.destroy();
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1" }, () => resolve());
  });
}
