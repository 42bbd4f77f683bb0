import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import mysql from "mysql2/promise";
import { type Databases, openDatabases } from "../src/databases/open-databases.ts";
import { socketPath } from "../src/databases/socket-path.ts";
import { isListening } from "../src/readiness.ts";

const none = {};
const home = mkdtempSync("/tmp/farebox-databases-");
after(() => rmSync(home, { recursive: true, force: true }));

function open(given: { databaseUrl?: string; redisUrl?: string } = none): Promise<Databases> {
  return openDatabases({ home, given, log: () => undefined });
}

async function query(url: string, sql: string): Promise<unknown> {
  const connection = await mysql.createConnection(url);
  try {
    const [rows] = await connection.query(sql);
    return rows;
  } finally {
    await connection.end();
  }
}

function server(databases: Databases, name: string): Databases["servers"][number] {
  const found = databases.servers.find((candidate) => candidate.name === name);
  assert.ok(found);
  return found;
}

test("private databases are durable, keep their files and port, and survive kills", async () => {
  let url: string;
  {
    await using databases = await open();
    url = databases.databaseUrl;
    assert.deepEqual(
      await query(
        url,
        "SELECT @@innodb_flush_log_at_trx_commit AS flush, @@tx_isolation AS iso, @@log_bin AS bin," +
          " @@bind_address AS bind, @@character_set_server AS charset, @@innodb_lock_wait_timeout AS wait",
      ),
      // biome-ignore format: one row
      [{ flush: 1, iso: "READ-COMMITTED", bin: 0, bind: "127.0.0.1", charset: "utf8mb4", wait: 5 }],
    );
    await query(url, "CREATE TABLE kept (id INT PRIMARY KEY)");
    await query(url, "INSERT INTO kept VALUES (7)");
    await query(url, "CREATE DATABASE another");

    for (const name of ["mariadb", "redis"]) {
      const before = databases.pids()[name];
      assert.ok(before);
      process.kill(before, "SIGKILL");
      await server(databases, name).restart();
      assert.notEqual(databases.pids()[name], before);
      assert.equal(await isListening(server(databases, name).port), true);
    }
    assert.deepEqual(await query(url, "SELECT id FROM kept"), [{ id: 7 }]);

    await assert.rejects(open(), /is in use by process \d+/);
  }
  assert.equal(await isListening(Number(new URL(url).port)), false);

  await using again = await open();
  assert.equal(again.databaseUrl, url);
  assert.deepEqual(await query(url, "SELECT id FROM kept"), [{ id: 7 }]);
});

test("a run that was killed leaves nothing that stops the next one", async () => {
  const program = new URL("../src/databases/open-databases.ts", import.meta.url).href;
  const script = `
    import { openDatabases } from ${JSON.stringify(program)};
    const databases = await openDatabases({ home: ${JSON.stringify(home)}, given: {}, log() {} });
    console.log(JSON.stringify([databases.databaseUrl, databases.pids()]));
    setInterval(() => {}, 1000);`;
  const killed = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(killed.stdout, "data");
  const [url, pids] = JSON.parse(String(line));
  await query(url, "CREATE TABLE IF NOT EXISTS survivor (id INT PRIMARY KEY)");
  killed.kill("SIGKILL");
  await once(killed, "exit");

  await using next = await open();
  assert.equal(next.databaseUrl, url);
  assert.notEqual(next.pids().mariadb, pids.mariadb);
  assert.notEqual(next.pids().redis, pids.redis);
  assert.deepEqual(await query(url, "SELECT COUNT(*) AS n FROM survivor"), [{ n: 0 }]);
});

test("a database given by URL is used as it is, created when missing, and never stopped", async () => {
  await using own = await open();
  const other = mkdtempSync("/tmp/farebox-databases-");
  try {
    const wanted = new URL(own.databaseUrl);
    wanted.pathname = "/fresh_one";
    const given = { databaseUrl: wanted.href, redisUrl: own.redisUrl };
    const databases = await openDatabases({ home: other, given, log: () => undefined });
    assert.deepEqual(databases.servers, []);
    assert.deepEqual(
      [databases.databaseUrl, databases.redisUrl],
      [given.databaseUrl, given.redisUrl],
    );
    await databases[Symbol.asyncDispose]();
    assert.deepEqual(await query(wanted.href, "SELECT DATABASE() AS name"), [
      { name: "fresh_one" },
    ]);

    wanted.password = "wrong";
    await assert.rejects(
      openDatabases({ home: other, given: { databaseUrl: wanted.href }, log: () => undefined }),
      /^Error: DATABASE_URL \(127\.0\.0\.1:\d+\): Access denied/,
    );
    const dead = { databaseUrl: own.databaseUrl, redisUrl: "redis://127.0.0.1:1" };
    await assert.rejects(
      openDatabases({ home: other, given: dead, log: () => undefined }),
      /REDIS_URL \(127\.0\.0\.1:1\)/,
    );
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});

test("a socket's path fits the 104 bytes that every system allows", () => {
  assert.equal(socketPath("/tmp/short", "mariadb.sock"), "/tmp/short/mariadb.sock");
  const long = socketPath(`/tmp/${"long/".repeat(30)}`, "mariadb.sock");
  assert.ok(Buffer.byteLength(long) < 60, long);
  rmSync(join(long, ".."), { recursive: true, force: true });
});
