import assert from "node:assert/strict";
import { createConnection, createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import type { RowDataPacket } from "mysql2";
import { openTestDatabase } from "../testing/mysql.ts";
import { AppError } from "./app-error.ts";
import {
  assertDurable,
  inTransaction,
  isCheckViolation,
  isConnectionLost,
  isDuplicate,
  openMysql,
  type PoolConnection,
} from "./mysql.ts";

const db = await openTestDatabase();
const { pool } = db;
after(() => db[Symbol.asyncDispose]());
await pool.query(
  "CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL CHECK (balance >= 0), note VARCHAR(20), at DATETIME(3))",
);

const above = 9_007_199_254_740_993n; // 2^53 + 1, which no double holds.

async function balanceOf(id: number): Promise<bigint> {
  const [rows] = await pool.query<RowDataPacket[]>("SELECT balance FROM account WHERE id = ?", [
    id,
  ]);
  return rows[0]?.balance;
}

async function open(id: number, balance: bigint): Promise<void> {
  await pool.query("REPLACE INTO account (id, balance) VALUES (?, ?)", [id, balance]);
}

test("amounts above 2^53 are exact on the way in, in arithmetic, and on the way out", async () => {
  await open(1, above);
  await pool.query("UPDATE account SET balance = balance - ? WHERE id = 1", [2n]);
  assert.equal(await balanceOf(1), above - 2n);
  await pool.query("UPDATE account SET balance = balance + ? WHERE id = 1", [above]);
  assert.equal(await balanceOf(1), 2n * above - 2n);
  const [rows] = await pool.execute<RowDataPacket[]>("SELECT balance FROM account WHERE id = 1");
  assert.equal(rows[0]?.balance, 2n * above - 2n);
});

test("BIGINT is a bigint however small, counts too, and NULL stays null", async () => {
  await open(2, 5n);
  const [rows] = await pool.query<RowDataPacket[]>(
    "SELECT balance, COUNT(*) AS n, CAST(SUM(balance) AS SIGNED) AS total, CAST(NULL AS SIGNED) AS nothing FROM account WHERE id = 2",
  );
  assert.deepEqual(
    [rows[0]?.balance, rows[0]?.n, rows[0]?.total, rows[0]?.nothing],
    [5n, 1n, 5n, null],
  );
});

test("every connection reads committed, in UTC, strictly, with a bounded lock wait", async () => {
  const [rows] = await pool.query<RowDataPacket[]>(
    "SELECT @@session.time_zone AS zone, @@session.sql_mode AS mode, @@session.innodb_lock_wait_timeout AS wait",
  );
  assert.equal(rows[0]?.zone, "+00:00");
  assert.match(rows[0]?.mode, /STRICT_ALL_TABLES/);
  assert.equal(Number(rows[0]?.wait), 5);
  await open(3, 1n);
  await inTransaction(pool, async (tx) => {
    await tx.query("SELECT balance FROM account WHERE id = 3");
    await pool.query("UPDATE account SET balance = 2 WHERE id = 3");
    const [seen] = await tx.query<RowDataPacket[]>("SELECT balance FROM account WHERE id = 3");
    assert.equal(seen[0]?.balance, 2n);
  });
});

test("times keep their milliseconds in UTC", async () => {
  const at = new Date("2026-11-21T01:02:03.456Z");
  await pool.query("REPLACE INTO account (id, balance, at) VALUES (4, 0, ?)", [at]);
  const [rows] = await pool.query<RowDataPacket[]>("SELECT at FROM account WHERE id = 4");
  assert.deepEqual(rows[0]?.at, at);
});

test("tells a CHECK that refused from a duplicate", async () => {
  await open(5, 1n);
  const overdraw = pool.query("UPDATE account SET balance = balance - ? WHERE id = 5", [2n]);
  await assert.rejects(overdraw, (error) => isCheckViolation(error) && !isDuplicate(error));
  const twice = pool.query("INSERT INTO account (id, balance) VALUES (5, 0)");
  await assert.rejects(twice, (error) => isDuplicate(error) && !isCheckViolation(error));
});

test("affectedRows counts rows that matched, changed or not", async () => {
  await open(6, 1n);
  const [result] = await pool.query("UPDATE account SET balance = 1 WHERE id = 6");
  assert("affectedRows" in result && result.affectedRows === 1);
});

test("a transaction commits as a whole or not at all", async () => {
  await open(7, 10n);
  const boom = new Error("boom");
  const failing = inTransaction(pool, async (tx) => {
    await tx.query("UPDATE account SET balance = 0 WHERE id = 7");
    throw boom;
  });
  await assert.rejects(failing, (error) => error === boom);
  assert.equal(await balanceOf(7), 10n);
});

test("a deadlock repeats the whole transaction, and both sides are charged once", async () => {
  await open(8, 100n);
  await open(9, 100n);
  let tries = 0;
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const move = (mine: number, first: number, second: number) =>
    inTransaction(pool, async (tx: PoolConnection) => {
      tries += 1;
      await tx.query("UPDATE account SET balance = balance - 1 WHERE id = ?", [first]);
      gates[mine]?.resolve();
      await gates[1 - mine]?.promise;
      await tx.query("UPDATE account SET balance = balance - 1 WHERE id = ?", [second]);
    });
  await Promise.all([move(0, 8, 9), move(1, 9, 8)]);
  assert.deepEqual([await balanceOf(8), await balanceOf(9)], [98n, 98n]);
  assert.equal(tries, 3);
});

test("retries end in UNAVAILABLE, and a signal stops them", async () => {
  const deadlock = Object.assign(new Error("deadlock"), { errno: 1213 });
  let tries = 0;
  const hopeless = inTransaction(
    pool,
    async () => {
      tries += 1;
      throw deadlock;
    },
    { retriesMax: 2 },
  );
  await assert.rejects(hopeless, { reason: "UNAVAILABLE" });
  assert.equal(tries, 3);
  const signal = AbortSignal.abort(new AppError("DEADLINE_EXCEEDED"));
  await assert.rejects(
    inTransaction(pool, async () => assert.fail("ran"), { signal }),
    { reason: "DEADLINE_EXCEEDED" },
  );
});

test("a try that takes too long gives its connection up", async () => {
  const stuck = inTransaction(pool, () => new Promise(() => undefined), { tryMsMax: 20 });
  await assert.rejects(stuck, { reason: "UNAVAILABLE" });
  assert.equal(typeof (await balanceOf(7)), "bigint");
});

test("waiting for a free connection is bounded, and one that comes late is not lost", async () => {
  const small = openMysql({ url: db.url, connectionsMax: 1 });
  const busy = await small.getConnection();
  const waiting = inTransaction(small, async () => assert.fail("ran"), { acquireMsMax: 20 });
  await assert.rejects(waiting, { reason: "UNAVAILABLE" });
  busy.release();
  assert.equal(await inTransaction(small, async () => "ran"), "ran");
  await small.end();
});

test("a connection killed under a transaction is UNAVAILABLE, and nothing is charged", async () => {
  await open(10, 10n);
  const killed = inTransaction(pool, async (tx) => {
    await tx.query("UPDATE account SET balance = 0 WHERE id = 10");
    const [rows] = await tx.query<RowDataPacket[]>("SELECT CONNECTION_ID() AS id");
    await pool.query(`KILL CONNECTION ${rows[0]?.id}`);
    await tx.query("SELECT 1");
  });
  await assert.rejects(killed, { reason: "UNAVAILABLE" });
  assert.equal(await balanceOf(10), 10n);
});

test("a COMMIT whose answer is lost is UNAVAILABLE although it happened", async () => {
  await open(11, 10n);
  const target = new URL(db.url);
  const { proxy, port } = await cutAfterCommit(target);
  target.host = `127.0.0.1:${port}`;
  const through = openMysql({ url: target.href, connectionsMax: 1 });
  const charge = inTransaction(through, (tx) =>
    tx.query("UPDATE account SET balance = balance - 1 WHERE id = 11"),
  );
  await assert.rejects(charge, { reason: "UNAVAILABLE" });
  await through.end().catch(() => undefined);
  proxy.close();
  assert.equal(await balanceOf(11), 9n);
});

test("a database that is not there is UNAVAILABLE", async () => {
  const nowhere = openMysql({ url: "mysql://a:b@127.0.0.1:1/x", connectionsMax: 1 });
  await assert.rejects(
    inTransaction(nowhere, async () => assert.fail("ran")),
    { reason: "UNAVAILABLE" },
  );
  await assert.rejects(nowhere.query("SELECT 1"), (error) => isConnectionLost(error));
  await nowhere.end();
});

test("refuses a server that may lose a commit", async () => {
  const [rows] = await pool.query<RowDataPacket[]>(
    "SELECT CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS CHAR) AS setting",
  );
  if (rows[0]?.setting === "1") await assertDurable(pool);
  else await assert.rejects(assertDurable(pool), /innodb_flush_log_at_trx_commit/);
});

/** A proxy that forwards COMMIT to the server, and cuts the connection when the server answers it. */
async function cutAfterCommit(target: URL) {
  const { hostname } = target;
  const serverPort = Number(target.port);
  const proxy = createServer((client: Socket) => {
    const server = createConnection(serverPort, hostname);
    let isCommitting = false;
    client.on("data", (bytes) => {
      isCommitting = bytes.toString("latin1").endsWith("COMMIT");
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      if (isCommitting) client.destroy();
      else client.write(bytes);
    });
    client.on("close", () => server.destroy());
    server.on("error", () => client.destroy());
    client.on("error", () => server.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  assert(typeof address === "object" && address !== null);
  return { proxy, port: address.port };
}
