import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChildSpec } from "../../child.ts";
import { freePort } from "../../free-port.ts";
import { isListening } from "../../readiness.ts";

/** A program of this folder to run. */
export type Script = {
  readonly name: string;
  /** In this folder. */
  readonly file: string;
  readonly env?: Readonly<Record<string, string>>;
};

/** How to run one of the benchmark's own servers, on a port of its own, and where it will be. */
export async function scriptSpec(
  home: string,
  script: Script,
): Promise<{ readonly spec: ChildSpec; readonly url: string }> {
  const port = await freePort();
  const spec: ChildSpec = {
    name: script.name,
    command: process.execPath,
    args: [fileURLToPath(new URL(script.file, import.meta.url))],
    env: { ...script.env, PORT: String(port) },
    logFile: join(home, "logs", `${script.name}.log`),
    pidFile: join(home, "run", `${script.name}.pid`),
    isReady: () => isListening(port),
    readyTimeoutMs: 20_000,
    stopTimeoutMs: 5_000,
  };
  return { spec, url: `http://127.0.0.1:${port}` };
}
