import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ChildSpec } from "../../child.ts";
import { freePort } from "../../free-port.ts";
import { isListening } from "../../readiness.ts";

/** The version that figures are compared with; newer ones are for whoever asks. */
export const portkeyVersion = "1.15.2";

const installTimeoutMs = 300_000;

/** A gateway of another make, and what its clients must say to be forwarded to the benchmark's upstream. */
export type Portkey = {
  readonly spec: ChildSpec;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};

/**
 * Installs `@portkey-ai/gateway` with npm into the benchmark's own folder, where it is deleted with it, to be run as its README
 * says. It bills nothing: it is there to show what a gateway of that kind costs.
 */
export async function installPortkey(home: string, upstreamUrl: string): Promise<Portkey> {
  const folder = join(home, "portkey");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"private": true}');
  await promisify(execFile)(
    "npm",
    [
      "install",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      `@portkey-ai/gateway@${portkeyVersion}`,
    ],
    { cwd: folder, timeout: installTimeoutMs },
  );
  const port = await freePort();
  const server = join(folder, "node_modules/@portkey-ai/gateway/build/start-server.js");
  const upstream = new URL(upstreamUrl);
  const spec: ChildSpec = {
    name: "portkey",
    command: process.execPath,
    args: [server, `--port=${port}`, "--headless"],
    env: { TRUSTED_CUSTOM_HOSTS: `${upstream.hostname},${upstream.host}`, NODE_ENV: "production" },
    cwd: folder,
    logFile: join(home, "logs", "portkey.log"),
    pidFile: join(home, "run", "portkey.pid"),
    isReady: () => isListening(port),
    readyTimeoutMs: 30_000,
    stopTimeoutMs: 5_000,
  };
  const headers = {
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": `${upstreamUrl}/v1`,
  };
  return { spec, url: `http://127.0.0.1:${port}`, headers };
}
