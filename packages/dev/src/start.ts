import { resolve } from "node:path";
import { makeFirstCall } from "./stack/first-call.ts";
import { openStack } from "./stack/open-stack.ts";
import { printWelcome } from "./stack/print-welcome.ts";

// npm start: everything up, one real billed call, and it stays up until Ctrl-C.
const home = resolve(process.env.FAREBOX_HOME || ".farebox");
const stopped = new Promise<void>((done) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => done());
});
const log = (line: string) => console.log(`farebox: ${line}`);
try {
  await using stack = await openStack({
    home,
    given: { databaseUrl: process.env.DATABASE_URL, redisUrl: process.env.REDIS_URL },
    log,
  });
  printWelcome(stack, await makeFirstCall(stack.dev));
  await stopped;
  log("stopping");
} catch (error) {
  console.error(`farebox: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
