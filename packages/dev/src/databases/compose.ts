import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { DatabaseServer } from "./database-server.ts";
import { findBinary } from "./find-binary.ts";
import { keptPassword } from "./kept-password.ts";
import { keptPort } from "./kept-port.ts";
import { mariadbSettings } from "./start-mariadb.ts";

const run = promisify(execFile);
const composeFile = fileURLToPath(new URL("../../compose.yaml", import.meta.url));
// The first start pulls images.
const startTimeoutMs = 10 * 60_000;
const stopTimeoutMs = 60_000;

/** Whether `docker compose` and a container engine answer here. */
export async function canCompose(): Promise<boolean> {
  const docker = findBinary(["docker"]);
  if (docker === undefined) return false;
  try {
    await run(docker, ["compose", "version"], { timeout: 10_000 });
    await run(docker, ["info"], { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

/** Runs one database of `compose.yaml` in a container of this home's own; stopping it keeps its files. */
export async function startInCompose(
  name: DatabaseServer["name"],
  home: string,
): Promise<DatabaseServer> {
  const folder = join(home, "compose");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const ports = {
    mariadb: await keptPort(join(folder, "mariadb.port")),
    redis: await keptPort(join(folder, "redis.port")),
  };
  const password = keptPassword(join(folder, "password"));
  const project = `farebox-${createHash("sha256").update(home).digest("hex").slice(0, 12)}`;
  const env = {
    ...process.env,
    FAREBOX_COMPOSE_HOME: folder,
    FAREBOX_MARIADB_PASSWORD: password,
    FAREBOX_MARIADB_PORT: String(ports.mariadb),
    FAREBOX_MARIADB_SETTINGS: mariadbSettings.filter((flag) => flag !== "--no-defaults").join(" "),
    FAREBOX_REDIS_PORT: String(ports.redis),
  };
  const compose = async (args: readonly string[], timeoutMs: number) => {
    const all = ["compose", "--project-name", project, "--file", composeFile, ...args];
    await run("docker", all, { env, timeout: timeoutMs });
  };
  await compose(["up", "--detach", "--wait", "--no-deps", name], startTimeoutMs);
  const stop = () => compose(["stop", name], stopTimeoutMs);
  return {
    name,
    port: ports[name],
    url:
      name === "mariadb"
        ? `mysql://root:${password}@127.0.0.1:${ports.mariadb}/farebox`
        : `redis://127.0.0.1:${ports.redis}`,
    pid: () => undefined,
    restart: async () => {
      await compose(["restart", name], stopTimeoutMs);
      await compose(["up", "--detach", "--wait", "--no-deps", name], startTimeoutMs);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
