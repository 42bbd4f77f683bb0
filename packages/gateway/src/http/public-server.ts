import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Roster } from "../domain/roster.ts";

/** One request, with its path taken apart by hand: URL parsing costs more than routing. */
export type PublicRequest = {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Without the query. */
  readonly path: string;
  /** With its question mark; empty for none. */
  readonly query: string;
  /** The server is stopping: new work is to be refused. */
  readonly isDraining: boolean;
};

/** The gateway's public server, not listening yet. */
export type PublicServer = {
  readonly server: Server;
  /** Stops listening, lets the requests in flight finish within the bound, then cuts what is left. */
  drain(msMax: number): Promise<void>;
};

/**
 * Makes the public server. Its limits are set once, here: headers 15 s and 64 KB, a whole request 5 min (bodies may be 32 MB over
 * a slow line), idle connections 75 s, which is longer than load balancers keep theirs.
 */
export function createPublicServer(
  serve: (request: PublicRequest) => void,
  connectionsMax = Number.POSITIVE_INFINITY,
): PublicServer {
  const inFlight = new Roster<ServerResponse>();
  let isDraining = false;
  let onIdle: () => void = () => undefined;
  const server = createServer(
    {
      keepAliveTimeout: 75_000,
      headersTimeout: 15_000,
      requestTimeout: 300_000,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: 65_536,
      noDelay: true,
    },
    (req, res) => {
      const place = inFlight.add(res);
      res.once("close", () => {
        inFlight.remove(place);
        if (inFlight.size === 0) onIdle();
      });
      if (isDraining) res.shouldKeepAlive = false;
      const url = req.url ?? "/";
      const at = url.indexOf("?");
      if (at === -1) serve({ req, res, path: url, query: "", isDraining });
      else serve({ req, res, path: url.slice(0, at), query: url.slice(at), isDraining });
    },
  );
  if (Number.isFinite(connectionsMax)) server.maxConnections = connectionsMax;
  return {
    server,
    async drain(msMax) {
      isDraining = true;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      // Whoever kept the connection would send its next request to a server that is gone.
      for (const res of inFlight) res.shouldKeepAlive = false;
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve;
      });
      if (inFlight.size > 0) await withinBound(idle, msMax);
      server.closeAllConnections();
      await closed;
    },
  };
}

async function withinBound(idle: Promise<void>, msMax: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, msMax);
  });
  await Promise.race([idle, bound]);
  clearTimeout(timer);
}
