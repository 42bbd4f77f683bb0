import { parseArgs } from "node:util";
import { startDemoUpstream } from "./demo-upstream.ts";

// node packages/dev/src/upstream/main.ts [--port 9000] [--log-file attempts.jsonl]
const { values } = parseArgs({
  options: {
    port: { type: "string", default: process.env.DEMO_UPSTREAM_PORT ?? "0" },
    "log-file": { type: "string", default: process.env.DEMO_UPSTREAM_LOG_FILE ?? "" },
  },
});
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  throw new Error(`--port ${values.port} is not a port`);
}
const upstream = await startDemoUpstream({
  port,
  ...(values["log-file"] === "" ? {} : { logFile: values["log-file"] }),
});
console.log(`demo upstream: ${upstream.url}`);
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => void upstream.close().then(() => process.exit(0)));
}
