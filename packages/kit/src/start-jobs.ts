import type { Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Something that is done again and again in the background. It must be safe in any number of processes at once. */
export type Job = {
  /** snake_case; a metric label. */
  readonly name: string;
  /** The pause between the end of a run and the start of the next. */
  readonly periodMs: number;
  /** The signal aborts at shutdown: a long run may then end early, and is waited for. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

export type JobsDeps = { readonly clock: Clock; readonly log: Logger; readonly metrics: Metrics };

/**
 * Runs each job at once and then period by period, never twice at a time. A run that fails is logged and counted, and
 * the next comes as if it had not. Disposing waits until the runs in progress have ended.
 */
export function startJobs(deps: JobsDeps, jobs: readonly Job[]): AsyncDisposable {
  const meters = createMeters(deps.metrics);
  const stopping = new AbortController();
  const loops = jobs.map((job) => loop(deps, meters, job, stopping.signal));
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

type Meters = ReturnType<typeof createMeters>;

function createMeters(metrics: Metrics) {
  return {
    runs: metrics.counter({
      name: "job_runs_total",
      help: "Runs of background jobs, by outcome",
      labels: ["job", "outcome"],
    }),
    seconds: metrics.histogram({
      name: "job_run_seconds",
      help: "How long runs of background jobs take",
      labels: ["job"],
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120],
    }),
    lastSuccess: metrics.gauge({
      name: "job_last_success_timestamp_seconds",
      help: "When a background job last ended well",
      labels: ["job"],
    }),
  };
}

async function loop(
  deps: JobsDeps,
  meters: Meters,
  job: Job,
  stopping: AbortSignal,
): Promise<void> {
  while (!stopping.aborted) {
    const startMs = deps.clock.monotonicMs();
    const outcome = await runOnce(deps, job, stopping);
    meters.runs.inc({ job: job.name, outcome });
    meters.seconds.observe({ job: job.name }, (deps.clock.monotonicMs() - startMs) / 1000);
    if (outcome === "ok") meters.lastSuccess.set({ job: job.name }, deps.clock.nowMs() / 1000);
    await deps.clock.sleep(job.periodMs, stopping).catch(() => undefined);
  }
}

async function runOnce(deps: JobsDeps, job: Job, stopping: AbortSignal): Promise<"ok" | "failed"> {
  try {
    await job.run(stopping);
    return "ok";
  } catch (error) {
    if (!stopping.aborted) deps.log.error({ event: "job.failed", job: job.name, err: error });
    return "failed";
  }
}
