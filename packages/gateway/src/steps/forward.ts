import type { ServerResponse } from "node:http";
import type { LimitDecision } from "../domain/limit.ts";
import { createStreamReader, type StreamReader } from "../domain/stream-reader.ts";
import { asksForUsage, forwardedBody } from "../upstream/forwarded-body.ts";
import type { Arrival } from "./check-quota.ts";
import { Exchange } from "./exchange.ts";
import type { LiveExchanges } from "./live-exchanges.ts";
import type { UpstreamAnswer } from "./upstream-answer.ts";

export type ForwardDeps = {
  readonly live: LiveExchanges;
  readonly answerBytesMax: number;
  readonly clock: { monotonicMs(): number };
};

/** What goes upstream, and where the answer goes. */
export type ForwardInput = {
  readonly arrival: Arrival;
  readonly limit: LimitDecision;
  readonly res: ServerResponse;
  /** Told while a stream runs; false ends it. Undefined with billing off: then nothing is read. */
  readonly progress: ((reader: StreamReader) => boolean) | undefined;
};

/**
 * Makes the upstream call, and passes a stream on as it comes. Resolves, always, when nothing more will come: with the whole
 * of a plain answer, or with the end of a stream still held back. A client that leaves stops the upstream at once.
 */
export function forward(deps: ForwardDeps, input: ForwardInput): Promise<UpstreamAnswer> {
  const { arrival, limit, res, progress } = input;
  const { parsed, target, route, path } = arrival.call;
  return new Promise((resolve) => {
    const isMetered = progress !== undefined;
    const exchange = new Exchange({
      res,
      isStreamed: parsed.stream,
      reader:
        isMetered && parsed.stream
          ? createStreamReader(parsed.dialect, { stripUsage: asksForUsage(parsed) })
          : undefined,
      progress,
      requestId: arrival.requestId,
      answerBytesMax: deps.answerBytesMax,
      monotonicMs: deps.clock.monotonicMs,
      end: (answer) => {
        deps.live.remove(place);
        resolve(answer);
      },
    });
    const place = deps.live.add(exchange);
    res.once("close", () => exchange.leave());
    if (res.destroyed) {
      exchange.leave();
      return;
    }
    const body =
      isMetered || route.upstreamModel !== parsed.model
        ? forwardedBody(parsed, { limit, upstreamModel: route.upstreamModel })
        : parsed.body;
    const headers = target.headers.concat(arrival.head.passed);
    target.pool.dispatch({ path, method: "POST", headers, body }, exchange);
  });
}
