import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type ChildWatcher, startChild } from "../child.ts";
import { isListening } from "../readiness.ts";
import { stopLeftOver } from "../stop-pid.ts";
import type { DatabaseServer } from "./database-server.ts";
import { keptPort } from "./kept-port.ts";

const stopTimeoutMs = 5_000;

/** Starts a private Redis that keeps nothing on disk: it may lose everything at any time without moving a cent. */
export async function startRedis(
  program: string,
  home: string,
  watcher: ChildWatcher,
): Promise<DatabaseServer> {
  const folder = join(home, "redis");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pidFile = join(home, "run", "redis.pid");
  // Before the port is chosen: one left over would seem to hold it.
  await stopLeftOver(pidFile, stopTimeoutMs);
  const port = await keptPort(join(folder, "port"));
  const child = await startChild(
    {
      name: "redis",
      command: program,
      args: redisArgs(port, folder),
      logFile: join(home, "logs", "redis.log"),
      pidFile,
      isReady: () => isListening(port, { say: "PING\r\n", hear: "+PONG" }),
      readyTimeoutMs: 10_000,
      stopTimeoutMs,
    },
    watcher,
  );
  return { ...child, name: "redis", port, url: `redis://127.0.0.1:${port}` };
}

function redisArgs(port: number, folder: string): string[] {
  return [
    ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder],
    ...["--save", "", "--appendonly", "no", "--daemonize", "no"],
  ];
}
