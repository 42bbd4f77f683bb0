import type { Logger } from "./logger.ts";

/** What `start` of a service returns: it serves until it is disposed. */
export type Running = AsyncDisposable;

/**
 * Runs a service from start to a clean end: starts it, logs that it is ready, waits for one SIGINT or SIGTERM, disposes.
 *
 * A start that fails exits with code 1. So does a disposal that takes longer than `disposeMsMax` (default 15 s); what it
 * did not finish is recovered like after a crash. A second signal ends the process at once.
 */
export async function runService(options: {
  readonly name: string;
  readonly log: Logger;
  readonly start: () => Promise<Running>;
  readonly disposeMsMax?: number;
}): Promise<void> {
  const { name, log } = options;
  const signal = firstSignal();
  let running: Running;
  try {
    running = await options.start();
  } catch (error) {
    log.error({ event: "service.start_failed", name, err: error });
    process.exit(1);
  }
  log.info({ event: "service.ready", name });
  log.info({ event: "service.stopping", name, signal: await signal });
  const disposeMsMax = options.disposeMsMax ?? 15_000;
  const giveUp = setTimeout(() => {
    log.error({ event: "service.stop_timed_out", name, disposeMsMax });
    process.exit(1);
  }, disposeMsMax);
  try {
    await running[Symbol.asyncDispose]();
    log.info({ event: "service.stopped", name });
  } catch (error) {
    log.error({ event: "service.stop_failed", name, err: error });
    process.exitCode = 1;
  }
  clearTimeout(giveUp);
  // A library may have left a socket or timer behind; nothing of ours runs any more.
  setTimeout(() => process.exit(), 1000).unref();
}

/** Resolves with the first signal to stop; the second exits at once. */
function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isSeen = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (isSeen) process.exit(130);
      isSeen = true;
      resolve(signal);
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
}
