import { createServer, type ServerResponse } from "node:http";
import type { TallyLine } from "../conserve/usage-tally.ts";
import { benchUsages } from "../load/bench-usages.ts";
import { type ReadyAnswer, readyAnswers } from "./ready-answers.ts";

/** What the upstream knows of itself: `GET /__log`; `DELETE /__log` forgets it. */
export type UpstreamLog = {
  /** Calls answered to their end, by the usage reported to the client. */
  readonly answered: readonly TallyLine[];
  /** Streams whose reader left before the end. */
  readonly cut: number;
};

// node packages/dev/src/bench/targets/bench-upstream.ts: a chat completions provider that costs as little as Node can, so
// that the benchmark measures proxies. Every answer has an id of its own; usages take turns and are counted as they leave.
const answers = readyAnswers(benchUsages);
let calls = 0;
let cut = 0;
const answered = benchUsages.map(() => 0);

const server = createServer({ keepAliveTimeout: 75_000, noDelay: true }, (req, res) => {
  const parts: Buffer[] = [];
  req.on("data", (part: Buffer) => parts.push(part));
  req.on("end", () => {
    if (req.method === "POST") answer(res, parts);
    else tell(res, req.method === "DELETE");
  });
});
server.listen({ port: Number(process.env.PORT), host: "127.0.0.1", backlog: 2_048 });
process.on("SIGTERM", () => process.exit(0));

function answer(res: ServerResponse, parts: readonly Buffer[]): void {
  const [first = Buffer.alloc(0)] = parts;
  const body = parts.length === 1 ? first : Buffer.concat(parts);
  const turn = calls++ % answers.length;
  const ready = answers[turn];
  if (ready === undefined) return;
  const id = `chatcmpl-bench${String(calls).padStart(10, "0")}`;
  if (body.includes('"stream":true')) {
    void stream(res, { ready, turn, id, asksUsage: body.includes('"include_usage":true') });
    return;
  }
  res.writeHead(200, [...ready.plainHeaders]);
  res.end(ready.plainStart + id + ready.plainRest);
  count(turn);
}

type Streamed = {
  readonly ready: ReadyAnswer;
  readonly turn: number;
  readonly id: string;
  readonly asksUsage: boolean;
};

/** One event a turn of the event loop, so that each travels on its own, as a provider's do. */
async function stream(
  res: ServerResponse,
  { ready, turn, id, asksUsage }: Streamed,
): Promise<void> {
  res.writeHead(200, ["content-type", "text/event-stream", "cache-control", "no-cache"]);
  const start = `data: {"id":"${id}`;
  for (const rest of asksUsage ? ready.eventsWithUsage : ready.events) {
    if (res.destroyed) break;
    res.write(start + rest);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (res.destroyed) {
    cut += 1;
    return;
  }
  res.end("data: [DONE]\n\n");
  count(turn);
}

function count(turn: number): void {
  answered[turn] = (answered[turn] ?? 0) + 1;
}

function tell(res: ServerResponse, forgets: boolean): void {
  const log: UpstreamLog = {
    answered: benchUsages.map((usage, turn) => ({ usage, calls: answered[turn] ?? 0 })),
    cut,
  };
  if (forgets) {
    answered.fill(0);
    cut = 0;
  }
  res.writeHead(200, ["content-type", "application/json"]);
  res.end(JSON.stringify(log));
}
