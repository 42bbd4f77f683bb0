import type { AppError } from "@farebox/kit/app-error";
import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";
import type { AttemptOutcome } from "./interceptor/billed-call.ts";
import type { DeductQuotaEvents } from "./steps/deduct-quota.ts";
import type { RefusalEvents } from "./steps/refuse-call.ts";

/** Counts and logs what happens to paid calls. Calls that go well are counted and not logged: the transaction says it all. */
export function createEvents(log: Logger, metrics: Metrics): DeductQuotaEvents & RefusalEvents {
  const countCall = countCalls(metrics);
  const refusals = metrics.counter({
    name: "gateway_refusals_total",
    help: "Calls refused before the upstream was called, or not completed, by reason.",
    labels: ["reason"],
  });
  const malformed = metrics.counter({
    name: "gateway_usage_malformed_total",
    help: "Answers whose usage could not be true, and was estimated.",
  });
  const absurd = metrics.counter({
    name: "gateway_usage_absurd_total",
    help: "Answers whose usage was beyond the model's window, and was put aside.",
  });
  return {
    ended: (arrival, answer, outcome) => {
      countCall(outcome);
      const { requestId } = arrival;
      const provider = arrival.call.route.upstream.name;
      if (outcome.isAbsurd) {
        absurd.inc();
        log.error({ event: "usage.absurd", requestId, provider, usage: outcome.usage });
      }
      if (outcome.state === "failed") {
        const { httpStatus, end, error } = answer;
        log.warn({ event: "upstream.failed", requestId, provider, httpStatus, end, err: error });
      }
    },
    usageMalformed: (arrival, why) => {
      malformed.inc();
      const provider = arrival.call.route.upstream.name;
      log.error({ event: "usage.malformed", requestId: arrival.requestId, provider, why });
    },
    refused: (requestId, error: AppError) => {
      refusals.inc({ reason: error.reason });
      log.debug({ event: "call.refused", requestId, reason: error.reason, ...error.metadata });
    },
    failed: (requestId, error) => log.error({ event: "call.failed", requestId, err: error }),
  };
}

/** Calls are counted in plain numbers, which become metrics when somebody looks: labels cost more than the count. */
function countCalls(metrics: Metrics): (outcome: AttemptOutcome) => void {
  const fresh = new Map<AttemptOutcome["state"], Map<AttemptOutcome["usageSource"], number>>();
  metrics.gauge({
    name: "gateway_uptime_seconds",
    help: "Seconds since the process was started.",
    collect: function (this: { set(value: number): void }) {
      this.set(Math.floor(performance.now() / 1000));
      for (const [state, sources] of fresh) {
        for (const [source, count] of sources) calls.inc({ state, usage_source: source }, count);
      }
      fresh.clear();
    },
  });
  const calls = metrics.counter({
    name: "gateway_calls_total",
    help: "Upstream calls that have ended, by how and by where their usage comes from.",
    labels: ["state", "usage_source"],
  });
  return ({ state, usageSource }) => {
    let sources = fresh.get(state);
    if (sources === undefined) {
      sources = new Map();
      fresh.set(state, sources);
    }
    sources.set(usageSource, (sources.get(usageSource) ?? 0) + 1);
  };
}
