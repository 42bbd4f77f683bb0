import { Redis } from "ioredis";
import mysql from "mysql2/promise";

const connectTimeoutMs = 10_000;

/**
 * Makes sure that the MySQL server of a given URL answers, and creates the database that the URL names when it is
 * missing and the user may. Throws a message that names the host, never the password.
 */
export async function checkGivenMysql(url: string): Promise<void> {
  const target = new URL(url);
  const database = decodeURIComponent(target.pathname.slice(1));
  if (!/^[A-Za-z0-9_$-]{1,64}$/.test(database)) {
    throw new Error(
      "DATABASE_URL must end with the name of a database, like mysql://user@host/farebox",
    );
  }
  const withoutDatabase = new URL(url);
  withoutDatabase.pathname = "/";
  try {
    const connection = await mysql.createConnection({
      uri: withoutDatabase.href,
      connectTimeout: connectTimeoutMs,
    });
    try {
      const [rows] = await connection.query<mysql.RowDataPacket[]>(
        "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?",
        [database],
      );
      if (rows.length === 0) await connection.query(`CREATE DATABASE \`${database}\``);
    } finally {
      connection.destroy();
    }
  } catch (cause) {
    throw new Error(`DATABASE_URL (${target.host}): ${reason(cause)}`, { cause });
  }
}

/** Makes sure that the Redis of a given URL answers. Throws a message that names the host, never the password. */
export async function checkGivenRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: connectTimeoutMs,
    commandTimeout: connectTimeoutMs,
  });
  redis.on("error", () => undefined);
  try {
    await redis.connect();
    await redis.ping();
  } catch (cause) {
    throw new Error(`REDIS_URL (${new URL(url).host}): ${reason(cause)}`, { cause });
  } finally {
    redis.disconnect();
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message || String(cause) : String(cause);
}
