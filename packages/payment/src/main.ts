import { createLogger } from "@farebox/kit/logger";
import { runService } from "@farebox/kit/shutdown";
import { readConfig } from "./config.ts";
import { startPayment } from "./start.ts";

const config = readConfig();
const log = createLogger({ name: "payment", level: config.logLevel });
await runService({ name: "payment", log, start: () => startPayment(config, log) });
