import { keepGarbageYoung } from "@farebox/kit/keep-garbage-young";
import { createLogger } from "@farebox/kit/logger";
import { runService } from "@farebox/kit/shutdown";
import { readConfig } from "./config.ts";
import { startBilling } from "./start.ts";

keepGarbageYoung();
const config = readConfig();
const log = createLogger({ name: "billing", level: config.logLevel });
await runService({ name: "billing", log, start: () => startBilling(config, log) });
