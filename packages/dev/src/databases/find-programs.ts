import { findBinary } from "./find-binary.ts";

/** The programs that a private MariaDB needs. */
export type MariadbPrograms = {
  readonly server: string;
  /** Absent with Oracle's MySQL, whose server lays out its own files. */
  readonly install: string | undefined;
};

/** MariaDB's (or MySQL's) programs, or undefined when they are not installed. */
export function findMariadb(): MariadbPrograms | undefined {
  const server = findBinary(["mariadbd", "mysqld"]);
  if (server === undefined) return undefined;
  const install = findBinary(["mariadb-install-db", "mysql_install_db"]);
  return server.endsWith("mariadbd") && install === undefined ? undefined : { server, install };
}

/** Redis's (or Valkey's) server, or undefined when it is not installed. */
export function findRedis(): string | undefined {
  return findBinary(["redis-server", "valkey-server"]);
}
