import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Pool } from "undici";

// node packages/dev/src/bench/targets/bare-proxy.ts: the least that a proxy of JSON calls must do, with nothing to slow it
// down. It reads the whole body, parses it, forwards it with undici's cheapest call, and answers: whole answers in one
// write, streams as they come. What the gateway does beyond this is what its throughput is judged by.
const upstream = new Pool(process.env.UPSTREAM_URL ?? "", { connections: 256, pipelining: 1 });
const server = createServer({ keepAliveTimeout: 75_000, noDelay: true }, (req, res) => {
  const parts: Buffer[] = [];
  req.on("data", (part: Buffer) => parts.push(part));
  req.on("end", () => forward(req, res, joined(parts)));
});
server.listen({ port: Number(process.env.PORT), host: "127.0.0.1", backlog: 2_048 });
process.on("SIGTERM", () => process.exit(0));

function forward(req: IncomingMessage, res: ServerResponse, body: Buffer): void {
  const { stream }: { stream?: boolean } = JSON.parse(body.toString());
  const parts: Buffer[] = [];
  let isStream = false;
  let type = "";
  let status = 502;
  upstream.dispatch(
    {
      path: req.url ?? "/",
      method: "POST",
      headers: ["content-type", "application/json", "authorization", "Bearer upstream"],
      body,
    },
    {
      onRequestStart: (controller) => {
        res.once("close", () => {
          if (!res.writableFinished) controller.abort(new Error("the client left"));
        });
      },
      onResponseStart: (_controller, statusCode, headers) => {
        status = statusCode;
        type = String(headers["content-type"]);
        isStream = stream === true && status === 200;
        if (isStream) res.writeHead(status, ["content-type", type]);
      },
      onResponseData: (controller, part) => {
        if (!isStream) {
          parts.push(part);
        } else if (!res.write(part)) {
          controller.pause();
          res.once("drain", () => controller.resume());
        }
      },
      onResponseEnd: () => {
        if (isStream) {
          res.end();
          return;
        }
        const answer = joined(parts);
        res.writeHead(status, ["content-type", type, "content-length", String(answer.length)]);
        res.end(answer);
      },
      onResponseError: () => {
        if (!res.headersSent) res.writeHead(502);
        res.end();
      },
    },
  );
}

function joined(parts: readonly Buffer[]): Buffer {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
}
