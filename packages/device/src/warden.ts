import { systemClock } from "@farebox/kit/clock";
import { durationMsFrom, type EnvTable, enumOf, readEnv, text } from "@farebox/kit/env";
import { createLogger, type Logger } from "@farebox/kit/logger";
import { createMetrics } from "@farebox/kit/metrics";
import { runService } from "@farebox/kit/shutdown";
import { startJobs } from "@farebox/kit/start-jobs";
import { openDockerEngine } from "./docker/docker-engine.ts";
import { stopOverdue } from "./operations/stop-overdue.ts";

/** Every environment variable of the warden. */
export const wardenVariables = {
  engineUrl: {
    name: "WARDEN_ENGINE_URL",
    parse: text,
    default: "unix:///var/run/docker.sock",
    doc: "The node's own container engine.",
  },
  slackMs: {
    name: "WARDEN_SLACK",
    parse: durationMsFrom("0s"),
    default: "30s",
    doc: "How long after the end of its term, by the node's clock, a container is stopped. Device stops it at the end itself.",
  },
  periodMs: {
    name: "WARDEN_PERIOD",
    parse: durationMsFrom("100ms"),
    default: "5s",
    doc: "How often the node is looked at.",
  },
  logLevel: {
    name: "LOG_LEVEL",
    parse: enumOf("debug", "info", "warn", "error", "silent"),
    default: "info",
    doc: "debug, info, warn, error or silent.",
  },
} as const satisfies EnvTable;

/** How one warden is set up. */
export type WardenConfig = ReturnType<typeof readWardenConfig>;

/** Reads the warden's environment. Throws one Error that names every faulty variable. */
export function readWardenConfig(env?: Readonly<Record<string, string | undefined>>) {
  return readEnv(wardenVariables, env);
}

const stopTimeoutMs = 10_000;

/**
 * Watches one node from the node itself: a container whose term is over is stopped there, also when Device, its database or the
 * network is silent. One on each node; it has no port, no state and no secret.
 */
export async function startWarden(config: WardenConfig, log: Logger): Promise<AsyncDisposable> {
  const engine = openDockerEngine(config.engineUrl);
  const deps = { clock: systemClock, log, metrics: createMetrics({ processMetrics: false }) };
  const run = async () => {
    const nowMs = systemClock.nowMs();
    const { slackMs } = config;
    const { stopped, failures } = await stopOverdue(engine, { nowMs, slackMs, stopTimeoutMs });
    for (const container of stopped) log.warn({ event: "overdue.stopped", container });
    for (const err of failures) log.error({ event: "overdue.not_stopped", err });
  };
  const jobs = startJobs(deps, [{ name: "stop_overdue", periodMs: config.periodMs, run }]);
  return {
    [Symbol.asyncDispose]: async () => {
      await jobs[Symbol.asyncDispose]();
      engine[Symbol.dispose]();
    },
  };
}

if (import.meta.main) {
  const config = readWardenConfig();
  const log = createLogger({ name: "warden", level: config.logLevel });
  await runService({ name: "warden", log, start: () => startWarden(config, log) });
}
