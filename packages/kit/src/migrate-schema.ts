import { createHash } from "node:crypto";
import type { MigrationObject } from "@mikro-orm/core";
import { Migrator } from "@mikro-orm/migrations";
import { MikroORM } from "@mikro-orm/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { openMysql, type Pool } from "./mysql.ts";

/** Every migration of a schema, oldest first. A new one is added at the end; none is changed once it has been released. */
export type MigrationsList = readonly MigrationObject[];

const lockSecondsMax = 120;

/**
 * Brings a schema up to date, and makes it when it does not exist. Safe to run again, and in several processes at once:
 * one of them does the work while the others wait. Resolves with the names of the migrations that it applied.
 */
export async function migrateSchema(
  databaseUrl: string,
  migrations: MigrationsList,
): Promise<readonly string[]> {
  await createSchemaIfMissing(databaseUrl);
  const pool = openMysql({ url: databaseUrl, connectionsMax: 1 });
  try {
    return await underLock(pool, databaseUrl, () => applyPending(databaseUrl, migrations));
  } finally {
    await pool.end();
  }
}

async function applyPending(
  databaseUrl: string,
  migrations: MigrationsList,
): Promise<readonly string[]> {
  const orm = new MikroORM({
    clientUrl: databaseUrl,
    entities: [],
    extensions: [Migrator],
    discovery: { warnWhenNoEntities: false },
    migrations: {
      migrationsList: [...migrations],
      tableName: "schema_migration",
      snapshot: false,
      // MySQL commits every CREATE TABLE by itself.
      transactional: false,
    },
    pool: { max: 1 },
    logger: () => undefined,
  });
  try {
    const applied = await orm.migrator.up();
    return applied.map((migration) => migration.name);
  } finally {
    await orm.close(true);
  }
}

/** Runs `fn` while no other process migrates the schema. The lock ends with the connection, whatever happens. */
async function underLock<T>(pool: Pool, databaseUrl: string, fn: () => Promise<T>): Promise<T> {
  const connection = await pool.getConnection();
  try {
    // Locks are of the whole server and their names short.
    const schema = createHash("sha256").update(schemaOf(databaseUrl)).digest("hex").slice(0, 32);
    const name = `farebox_migrate_${schema}`;
    const [rows] = await connection.query<(RowDataPacket & { readonly got: unknown })[]>(
      "SELECT GET_LOCK(?, ?) AS got",
      [name, lockSecondsMax],
    );
    if (Number(rows[0]?.got) !== 1)
      throw new Error("another process has been migrating for too long");
    const result = await fn();
    await connection.query("SELECT RELEASE_LOCK(?)", [name]);
    return result;
  } finally {
    connection.destroy();
  }
}

async function createSchemaIfMissing(databaseUrl: string): Promise<void> {
  const schema = schemaOf(databaseUrl);
  if (schema === "") throw new Error("the database URL names no schema");
  const url = new URL(databaseUrl);
  url.pathname = "/";
  const pool = openMysql({ url: url.href, connectionsMax: 1 });
  try {
    const [rows] = await pool.query<RowDataPacket[]>(
      "SELECT schema_name FROM information_schema.schemata WHERE schema_name = ?",
      [schema],
    );
    if (rows.length > 0) return;
    await pool.query("CREATE DATABASE IF NOT EXISTS ?? CHARACTER SET utf8mb4", [schema]);
  } finally {
    await pool.end();
  }
}

function schemaOf(databaseUrl: string): string {
  return decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
}
