import { writeFileSync } from "node:fs";
import { join } from "node:path";
import mysql from "mysql2/promise";
import { type ChildWatcher, startChild } from "../child.ts";
import { stopLeftOver } from "../stop-pid.ts";
import type { DatabaseServer } from "./database-server.ts";
import type { MariadbPrograms } from "./find-programs.ts";
import { installMariadb, mariadbTemporary } from "./install-mariadb.ts";
import { keptPassword } from "./kept-password.ts";
import { keptPort } from "./kept-port.ts";
import { socketPath } from "./socket-path.ts";

const stopTimeoutMs = 30_000;

/**
 * Starts a private MariaDB at full durability under `<home>/mariadb`, with a database `farebox`.
 *
 * It listens on 127.0.0.1 only. The user in its URL may create databases; root has no way in but the socket, in a
 * folder that only its owner may open.
 */
export async function startMariadb(
  programs: MariadbPrograms,
  home: string,
  watcher: ChildWatcher,
): Promise<DatabaseServer> {
  const folder = join(home, "mariadb");
  const pidFile = join(home, "run", "mariadb.pid");
  // Before the port is chosen: one left over would seem to hold it.
  await stopLeftOver(pidFile, stopTimeoutMs);
  const dataFolder = await installMariadb(programs, folder);
  const port = await keptPort(join(folder, "port"));
  const password = keptPassword(join(folder, "password"));
  const url = `mysql://farebox:${password}@127.0.0.1:${port}/farebox`;
  const initFile = join(folder, "init.sql");
  writeFileSync(initFile, initSql(password), { mode: 0o600 });
  const child = await startChild(
    {
      name: "mariadb",
      command: programs.server,
      args: [...mariadbSettings, ...placement({ folder, dataFolder, initFile, port })],
      logFile: join(home, "logs", "mariadb.log"),
      pidFile,
      isReady: () => answers(url),
      // Recovery after a kill under load reads the whole redo log.
      readyTimeoutMs: 60_000,
      stopTimeoutMs,
    },
    watcher,
  );
  return { ...child, name: "mariadb", port, url };
}

/** The settings that Farebox relies on (durability, isolation) and those that suit a developer's machine. */
export const mariadbSettings: readonly string[] = [
  "--no-defaults",
  "--innodb-flush-log-at-trx-commit=1",
  "--skip-log-bin",
  "--transaction-isolation=READ-COMMITTED",
  "--innodb-buffer-pool-size=512M",
  "--innodb-log-file-size=256M",
  "--innodb-lock-wait-timeout=5",
  "--max-connections=500",
  "--max-allowed-packet=64M",
  "--character-set-server=utf8mb4",
  "--default-time-zone=+00:00",
  "--skip-name-resolve",
  "--loose-mysqlx=OFF",
];

function placement(where: {
  readonly folder: string;
  readonly dataFolder: string;
  readonly initFile: string;
  readonly port: number;
}): string[] {
  return [
    `--datadir=${where.dataFolder}`,
    `--tmpdir=${mariadbTemporary(where.folder)}`,
    `--port=${where.port}`,
    "--bind-address=127.0.0.1",
    `--socket=${socketPath(where.folder, "mariadb.sock")}`,
    `--pid-file=${join(where.folder, "mariadbd.pid")}`,
    `--init-file=${where.initFile}`,
    ...(process.getuid?.() === 0 ? ["--user=root"] : []),
  ];
}

// The server runs this at every start, before it accepts connections; each line is one statement.
function initSql(password: string): string {
  return [
    "CREATE DATABASE IF NOT EXISTS farebox;",
    `CREATE USER IF NOT EXISTS farebox@'127.0.0.1' IDENTIFIED BY '${password}';`,
    `ALTER USER farebox@'127.0.0.1' IDENTIFIED BY '${password}';`,
    "GRANT ALL ON *.* TO farebox@'127.0.0.1' WITH GRANT OPTION;",
    "DROP USER IF EXISTS root@'127.0.0.1';",
    "",
  ].join("\n");
}

async function answers(url: string): Promise<boolean> {
  const connection = await mysql.createConnection({ uri: url, connectTimeout: 1_000 });
  try {
    await connection.query({ sql: "SELECT 1", timeout: 1_000 });
    return true;
  } finally {
    connection.destroy();
  }
}
