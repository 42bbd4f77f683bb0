import { resolve } from "node:path";
import { openDemoEngine, runDemoDevice } from "./stack/demo-device.ts";
import { makeFirstCall } from "./stack/first-call.ts";
import { openStack } from "./stack/open-stack.ts";
import { printWelcome } from "./stack/print-welcome.ts";

// npm start: everything up, one real billed call, and it stays up until Ctrl-C. With --watch (npm run dev) a service starts
// again when one of its sources changes.
const home = resolve(process.env.FAREBOX_HOME || ".farebox");
const stop = new AbortController();
const stopped = new Promise<void>((done) => {
  stop.signal.addEventListener("abort", () => done());
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => stop.abort());
  }
});
const log = (line: string) => console.log(`farebox: ${line}`);
try {
  // Before the stack, so that it ends after it.
  await using engine = await openDemoEngine();
  await using stack = await openStack({
    home,
    given: { databaseUrl: process.env.DATABASE_URL, redisUrl: process.env.REDIS_URL },
    log,
    signal: stop.signal,
    plan: { isWatched: process.argv.includes("--watch"), hasDevice: true },
  });
  const device =
    "missing" in engine
      ? Promise.resolve({ failure: engine.missing })
      : runDemoDevice(stack.dev, engine, stop.signal).catch(asFailure);
  const made = await Promise.race([
    Promise.all([makeFirstCall(stack.dev, stop.signal).catch(asFailure), device]),
    stopped,
  ]);
  if (made !== undefined && !stop.signal.aborted) printWelcome(stack, ...made);
  await stopped;
  log("stopping");
} catch (error) {
  if (stop.signal.aborted && error === stop.signal.reason) {
    log("stopped before everything was up");
  } else {
    console.error(`farebox: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}

/** A provider of one's own may refuse the first call, an engine the first device; the stack is up all the same, and says why. */
function asFailure(error: unknown): { readonly failure: string } {
  return { failure: error instanceof Error ? error.message : String(error) };
}
