import { resolve } from "node:path";
import type { ChildWatcher } from "../child.ts";
import { lockHome } from "../home-lock.ts";
import { checkGivenMysql, checkGivenRedis } from "./check-given-urls.ts";
import type { DatabaseServer } from "./database-server.ts";
import { startMissing } from "./start-missing.ts";

/** Where the databases are, and power over those of our own. */
export type Databases = AsyncDisposable & {
  /** Its user may create databases when the server is our own. */
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** The servers started here; a database given by URL is not among them and is never touched. */
  readonly servers: readonly DatabaseServer[];
  /** Name → pid of those that are up. */
  pids(): Readonly<Record<string, number>>;
};

/** What `openDatabases` is told. */
export type DatabasesRequest = ChildWatcher & {
  /** The folder for their files, logs and pid files. One process at a time may use it. */
  readonly home: string;
  /** Databases that exist already: DATABASE_URL and REDIS_URL. */
  readonly given: {
    readonly databaseUrl?: string | undefined;
    readonly redisUrl?: string | undefined;
  };
};

/**
 * Opens the databases of a stack or of a test run: those given by URL, private ones under `home` for the rest.
 *
 * A private one that dies is started again on the same port. A second run on the same home finds the same files,
 * after stopping what a killed run left over. Disposing stops what was started here and nothing else. Throws when
 * another process uses the home, when a given URL does not answer, and when a server is neither installed nor
 * installable: the message says what to install.
 */
export async function openDatabases(request: DatabasesRequest): Promise<Databases> {
  const home = resolve(request.home);
  const { databaseUrl, redisUrl } = request.given;
  const lock = lockHome(home);
  try {
    await Promise.all([
      databaseUrl && checkGivenMysql(databaseUrl),
      redisUrl && checkGivenRedis(redisUrl),
    ]);
    const names = [databaseUrl ? [] : ["mariadb" as const], redisUrl ? [] : ["redis" as const]];
    const servers = await startMissing(names.flat(), home, request);
    const urlOf = (name: string) => servers.find((server) => server.name === name)?.url ?? "";
    return {
      databaseUrl: databaseUrl || urlOf("mariadb"),
      redisUrl: redisUrl || urlOf("redis"),
      servers,
      pids: () => Object.fromEntries(servers.flatMap(pidEntry)),
      [Symbol.asyncDispose]: async () => {
        await Promise.all(servers.map((server) => server.stop()));
        lock[Symbol.dispose]();
      },
    };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

function pidEntry(server: DatabaseServer): [string, number][] {
  const pid = server.pid();
  return pid === undefined ? [] : [[server.name, pid]];
}
