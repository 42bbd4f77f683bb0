import { keepGarbageYoung } from "@farebox/kit/keep-garbage-young";
import { createLogger } from "@farebox/kit/logger";
import { runService } from "@farebox/kit/shutdown";
import { readConfig } from "./config.ts";
import { startGateway } from "./start.ts";

keepGarbageYoung();
const config = readConfig();
const log = createLogger({ name: "gateway", level: config.logLevel });
await runService({
  name: "gateway",
  log,
  start: () => startGateway(config, log),
  disposeMsMax: config.shutdownMsMax * 2 + 5000,
});
