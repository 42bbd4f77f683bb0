import { keepGarbageYoung } from "@farebox/kit/keep-garbage-young";
import { createLogger } from "@farebox/kit/logger";
import { runService } from "@farebox/kit/shutdown";
import { readConfig } from "./config.ts";
import { startDevice } from "./start.ts";

keepGarbageYoung();
const config = readConfig();
const log = createLogger({ name: "device", level: config.logLevel });
await runService({ name: "device", log, start: () => startDevice(config, log) });
