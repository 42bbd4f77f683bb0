import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

/** Runs a service whose disposal is the given code, and signals it when it is ready. */
async function runAndSignal(start: string, signals: readonly NodeJS.Signals[]) {
  const script = `
    import { createLogger } from "./logger.ts";
    import { runService } from "./shutdown.ts";
    setInterval(() => {}, 1000);
    const log = createLogger({ name: "t" });
    await runService({
      name: "t", log, disposeMsMax: 200, start: async () => { ${start} },
    });`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", script], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  let sent = 0;
  child.stdout.on("data", (chunk) => {
    output += chunk;
    const isReady = output.includes("service.ready");
    const isStopping = output.includes("service.stopping");
    const next = signals[sent];
    if (next !== undefined && (sent === 0 ? isReady : isStopping)) {
      sent += 1;
      child.kill(next);
    }
  });
  const [code] = await once(child, "close");
  const events = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).event);
  return { code, events };
}

test("a signal disposes once and ends with code 0, whatever libraries left running", async () => {
  const dispose = 'return { [Symbol.asyncDispose]: async () => log.info({ event: "gone" }) }';
  const { code, events } = await runAndSignal(dispose, ["SIGTERM"]);
  assert.equal(code, 0);
  assert.deepEqual(events, ["service.ready", "service.stopping", "gone", "service.stopped"]);
});

test("a disposal that hangs is given up at its bound with code 1", async () => {
  const hang = "return { [Symbol.asyncDispose]: () => new Promise(() => {}) }";
  const { code, events } = await runAndSignal(hang, ["SIGINT"]);
  assert.equal(code, 1);
  assert.equal(events.at(-1), "service.stop_timed_out");
});

test("a second signal ends the process at once", async () => {
  const hang = "return { [Symbol.asyncDispose]: () => new Promise(() => {}) }";
  const { code } = await runAndSignal(hang.replace("200", "60000"), ["SIGTERM", "SIGTERM"]);
  assert.equal(code, 130);
});

test("a start that fails says why and ends with code 1", async () => {
  const { code, events } = await runAndSignal("throw new Error('no database')", []);
  assert.equal(code, 1);
  assert.deepEqual(events, ["service.start_failed"]);
});
