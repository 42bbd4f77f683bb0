import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { answerCall } from "./answer-call.ts";
import { anthropicDialect } from "./anthropic-dialect.ts";
import { type AttemptLog, openAttemptLog, type Totals } from "./attempt-log.ts";
import { controlApi } from "./control-api.ts";
import { readDemand } from "./demand.ts";
import type { Dialect } from "./dialect.ts";
import { listModels } from "./list-models.ts";
import { openaiDialect } from "./openai-dialect.ts";
import { type StandingScenario, standingScenario } from "./standing-scenario.ts";

/** A demo upstream that is serving. */
export type DemoUpstream = AsyncDisposable & {
  /** Without a path; the OpenAI SDK's base URL is this and `/v1`. */
  readonly url: string;
  totals(): Totals;
  close(): Promise<void>;
};

/** Where to listen, and where to keep the log of attempts besides memory. */
export type DemoUpstreamOptions = {
  /** 0, the default, lets the system choose. */
  readonly port?: number;
  readonly host?: string;
  readonly logFile?: string;
};

const bodyBytesMax = 64 * 1024 * 1024;
const dialects = new Map<string, Dialect>(
  [openaiDialect, anthropicDialect].map((dialect) => [dialect.path, dialect]),
);

type Deps = {
  readonly log: AttemptLog;
  readonly standing: StandingScenario;
  /** Numbers answers; with a prefix of its own per start, so that ids never meet again. */
  readonly nextSerial: () => string;
};

/**
 * Starts a stand-in for OpenAI and Anthropic that speaks both dialects, counts what it answers, and misbehaves when
 * asked (`scenario.ts`). It is also the benchmark's upstream, so that a plain answer costs little. Any key is accepted.
 */
export async function startDemoUpstream(options: DemoUpstreamOptions = {}): Promise<DemoUpstream> {
  const log = openAttemptLog(options.logFile);
  const boot = Date.now().toString(36);
  let serial = 0;
  const nextSerial = () => `${boot}${(serial++).toString(36).padStart(6, "0")}`;
  const deps = { log, standing: standingScenario(), nextSerial };
  const server = createServer({ keepAliveTimeout: 75_000, noDelay: true }, (req, res) => {
    readBody(req, res, (body) => route(deps, req, res, body));
  });
  const url = await listen(server, options);
  const close = async () => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    log.close();
  };
  return { url, totals: log.totals, close, [Symbol.asyncDispose]: close };
}

function listen(server: Server, options: DemoUpstreamOptions): Promise<string> {
  const { port = 0, host = "127.0.0.1" } = options;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host, backlog: 2_048 }, () => {
      const address = server.address();
      const bound = typeof address === "object" && address !== null ? address.port : port;
      resolve(`http://${host}:${bound}`);
    });
  });
}

function readBody(req: IncomingMessage, res: ServerResponse, use: (body: Buffer) => void): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  req.on("data", (part: Buffer) => {
    bytes += part.length;
    if (bytes <= bodyBytesMax) parts.push(part);
  });
  req.on("end", () => {
    const [first] = parts;
    if (bytes > bodyBytesMax) sendJson(res, 413, openaiDialect.error(413, "Request too large"));
    else use(parts.length === 1 && first !== undefined ? first : Buffer.concat(parts));
  });
}

function route(deps: Deps, req: IncomingMessage, res: ServerResponse, body: Buffer): void {
  const path = req.url ?? "/";
  const dialect = req.method === "POST" ? dialects.get(path.split("?", 1)[0] ?? path) : undefined;
  if (dialect !== undefined) {
    answer(deps, dialect, req, res, body);
    return;
  }
  const models = /^\/v1\/models(?:\/([^/?]+))?(?:\?|$)/.exec(path);
  if (req.method === "GET" && models !== null) {
    const id = models[1] === undefined ? undefined : decodeURIComponent(models[1]);
    sendJson(res, 200, JSON.stringify(listModels(req.headers, id)));
    return;
  }
  if (controlApi(deps, req, res, body)) return;
  sendJson(res, 404, openaiDialect.error(404, `Unknown request URL: ${req.method} ${path}.`));
}

function answer(
  deps: Deps,
  dialect: Dialect,
  req: IncomingMessage,
  res: ServerResponse,
  body: Buffer,
): void {
  const demand = readDemand(body, req.headers, deps.standing.take);
  if ("fault" in demand) {
    sendJson(res, 400, dialect.error(400, demand.fault));
    return;
  }
  answerCall(deps.log, { dialect, demand, id: dialect.newId(deps.nextSerial()), res });
}

function sendJson(res: ServerResponse, status: number, body: string): void {
  res.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  res.end(body);
}
