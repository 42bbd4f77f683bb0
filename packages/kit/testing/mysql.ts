import { randomBytes } from "node:crypto";
import { openMysql, type Pool } from "../src/mysql.ts";

/** A fresh, empty schema of its own, dropped when disposed. */
export type TestDatabase = AsyncDisposable & { readonly url: string; readonly pool: Pool };

/** Creates a schema with a random name on the server of DATABASE_URL, and migrates it. One for each test file. */
export async function openTestDatabase(
  migrate?: (url: string) => Promise<void>,
): Promise<TestDatabase> {
  const server = process.env.DATABASE_URL;
  if (server === undefined || server === "") {
    throw new Error("DATABASE_URL is not set: run the tests through npm test");
  }
  const name = `farebox_test_${randomBytes(8).toString("hex")}`;
  await onServer(server, `CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const drop = () => onServer(server, `DROP DATABASE ${name}`);
  try {
    await migrate?.(url.href);
  } catch (error) {
    await drop();
    throw error;
  }
  const pool = openMysql({ url: url.href, connectionsMax: 16, multipleStatements: true });
  return {
    url: url.href,
    pool,
    [Symbol.asyncDispose]: async () => {
      await pool.end();
      await drop();
    },
  };
}

async function onServer(server: string, statement: string): Promise<void> {
  const url = new URL(server);
  url.pathname = "/";
  const pool = openMysql({ url: url.href, connectionsMax: 1 });
  try {
    await pool.query(statement);
  } finally {
    await pool.end();
  }
}
