import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listen } from "@farebox/kit/ops-server";

/** One request that reached the upstream. */
export type SeenRequest = {
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  /** The gateway closed the connection before the answer was complete. */
  wasAborted: boolean;
};

/** Answers one request. */
export type Script = (res: ServerResponse, seen: SeenRequest) => void | Promise<void>;

/** An upstream that does what the test says. */
export type ScriptedUpstream = AsyncDisposable & {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** What the next requests are answered with. */
  script: Script;
  /** Resolves when a request after the first `count` has been aborted or answered. */
  closed(count: number): Promise<void>;
};

/** Starts a scripted upstream on a free loopback port. */
export async function startScriptedUpstream(): Promise<ScriptedUpstream> {
  const seen: SeenRequest[] = [];
  const closed: PromiseWithResolvers<void>[] = [];
  const closing = (index: number) => {
    closed[index] ??= Promise.withResolvers<void>();
    return closed[index];
  };
  const server = createServer(async (req, res) => {
    const parts: Buffer[] = [];
    for await (const part of req) parts.push(part);
    const index = seen.length;
    const request: SeenRequest = {
      url: req.url ?? "",
      headers: req.headers,
      body: Buffer.concat(parts),
      wasAborted: false,
    };
    seen.push(request);
    res.once("close", () => {
      request.wasAborted = !res.writableFinished;
      closing(index).resolve();
    });
    await upstream.script(res, request);
  });
  const port = await listen(server, "127.0.0.1", 0);
  const upstream: ScriptedUpstream = {
    url: `http://127.0.0.1:${port}`,
    seen,
    script: (res) => void res.writeHead(500).end(),
    closed: (count) => closing(count).promise,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return upstream;
}
