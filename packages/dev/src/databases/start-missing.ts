import { join } from "node:path";
import type { ChildWatcher } from "../child.ts";
import { canCompose, startInCompose } from "./compose.ts";
import type { DatabaseServer } from "./database-server.ts";
import { findMariadb, findRedis } from "./find-programs.ts";
import { canInstallPackages, installPackages } from "./install-packages.ts";
import { startMariadb } from "./start-mariadb.ts";
import { startRedis } from "./start-redis.ts";

type Name = DatabaseServer["name"];

const debianPackages = { mariadb: "mariadb-server", redis: "redis-server" } as const;

/**
 * Starts the named databases as private servers: from installed programs, else from packages installed now, else in
 * containers. Throws a message that says exactly what to install. When one fails to start, none is left running.
 */
export async function startMissing(
  names: readonly Name[],
  home: string,
  watcher: ChildWatcher,
): Promise<DatabaseServer[]> {
  await installAbsent(names.filter(isAbsent), home, watcher);
  const starts = await Promise.allSettled(names.map((name) => startOne(name, home, watcher)));
  const failed = starts.find((start) => start.status === "rejected");
  const servers = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  if (failed === undefined) return servers;
  await Promise.all(servers.map((server) => server.stop()));
  throw failed.reason;
}

function isAbsent(name: Name): boolean {
  return (name === "mariadb" ? findMariadb() : findRedis()) === undefined;
}

async function installAbsent(
  absent: readonly Name[],
  home: string,
  watcher: ChildWatcher,
): Promise<void> {
  if (absent.length === 0 || !canInstallPackages()) return;
  const packages = absent.map((name) => debianPackages[name]);
  watcher.log(`installing ${packages.join(" and ")} with apt-get (once)`);
  try {
    await installPackages(packages, join(home, "logs", "apt-get.log"));
  } catch (error) {
    watcher.log(String(error));
  }
}

async function startOne(name: Name, home: string, watcher: ChildWatcher): Promise<DatabaseServer> {
  if (name === "mariadb") {
    const programs = findMariadb();
    if (programs !== undefined) return startMariadb(programs, home, watcher);
  } else {
    const program = findRedis();
    if (program !== undefined) return startRedis(program, home, watcher);
  }
  if (await canCompose()) {
    watcher.log(`starting ${name} in a container`);
    return startInCompose(name, home);
  }
  throw new Error(howToGet(name));
}

function howToGet(name: Name): string {
  const [program, formula, variable, example] =
    name === "mariadb"
      ? [
          "MariaDB 10.6 or later (mariadbd)",
          "mariadb",
          "DATABASE_URL",
          "mysql://user:password@host/farebox",
        ]
      : ["Redis 6.2 or later (redis-server)", "redis", "REDIS_URL", "redis://host:6379"];
  return [
    `Farebox needs ${program}, which is not installed here. One of these helps:`,
    `  Debian, Ubuntu:  sudo apt-get install --no-install-recommends ${debianPackages[name]}`,
    `  macOS:           brew install ${formula}`,
    "  Docker:          start the Docker daemon, with the compose plug-in",
    `  elsewhere:       set ${variable}, e.g. ${variable}=${example}`,
  ].join("\n");
}
