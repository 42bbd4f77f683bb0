import type { IncomingMessage, ServerResponse } from "node:http";
import type { AttemptLog } from "./attempt-log.ts";
import type { StandingScenario } from "./standing-scenario.ts";

const readMax = 10_000;

/**
 * Answers the upstream's own endpoints, which no provider has: `GET /__log?since=&limit=`, `GET /__totals`,
 * `DELETE /__log` (forgets log and totals), `GET|POST|DELETE /__scenario` and `GET /healthz`.
 * Returns false for any other path.
 */
export function controlApi(
  deps: { readonly log: AttemptLog; readonly standing: StandingScenario },
  req: IncomingMessage,
  res: ServerResponse,
  body: Buffer,
): boolean {
  const url = new URL(req.url ?? "/", "http://demo");
  const number = (name: string, usual: number) =>
    Number(url.searchParams.get(name) ?? usual) || usual;
  switch (`${req.method} ${url.pathname}`) {
    case "GET /healthz":
      return reply(res, 200, { status: "ok" });
    case "GET /__totals":
      return reply(res, 200, deps.log.totals());
    case "GET /__log":
      return reply(
        res,
        200,
        deps.log.read(number("since", 0), Math.min(number("limit", 1_000), readMax)),
      );
    case "DELETE /__log":
      deps.log.reset();
      return reply(res, 200, {});
    case "GET /__scenario":
      return reply(res, 200, deps.standing.describe());
    case "DELETE /__scenario":
      deps.standing.clear();
      return reply(res, 200, deps.standing.describe());
    case "POST /__scenario": {
      const fault = deps.standing.set(body);
      return reply(res, fault === undefined ? 200 : 400, fault ?? deps.standing.describe());
    }
    default:
      return false;
  }
}

function reply(res: ServerResponse, status: number, value: object): true {
  res.writeHead(status, { "content-type": "application/json" });
  res.end(JSON.stringify(value));
  return true;
}
