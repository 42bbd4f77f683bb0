import assert from "node:assert/strict";
import { after, test } from "node:test";
import { inTransaction, isDuplicate } from "@farebox/kit/mysql";
import { openTestDatabase } from "@farebox/kit/testing/mysql";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { inOneTrip, type Statements } from "../src/store/in-one-trip.ts";

const database = await openTestDatabase();
after(() => database[Symbol.asyncDispose]());
const { pool } = database;
await pool.query("CREATE TABLE step (id INT PRIMARY KEY) ENGINE=InnoDB");

const insert = async (on: Statements, id: number) => {
  const [header] = await on.query<ResultSetHeader>(`INSERT INTO step (id) VALUES (${id})`, null);
  return header.affectedRows;
};
const read = async (on: Statements) => {
  const [rows] = await on.query<RowDataPacket[]>("SELECT id FROM step ORDER BY id", null);
  return rows.map((row) => Number(row.id));
};

test("runs statements in the order they were issued in, each with its own answer", async () => {
  const seen = await inTransaction(pool, (tx) =>
    inOneTrip<[number[], number, number[]]>(tx, (trip) => [
      read(trip),
      insert(trip, 1),
      read(trip),
    ]),
  );
  assert.deepEqual(seen, [[], 1, [1]]);
});

test("takes one statement, and none", async () => {
  assert.deepEqual(await inOneTrip<[number[]]>(pool, (trip) => [read(trip)]), [[1]]);
  assert.deepEqual(await inOneTrip(pool, () => []), []);
});

test("runs nothing after a statement that fails, and rolls all of it back", async () => {
  const work = inTransaction(pool, (tx) =>
    inOneTrip<[number, number, number]>(tx, (trip) => [
      insert(trip, 2),
      insert(trip, 1),
      insert(trip, 3),
    ]),
  );
  await assert.rejects(work, isDuplicate);
  assert.deepEqual(await read(pool), [1]);
});

test("lets a function that needs a second statement go on by itself", async () => {
  const twice = async (on: Statements) => [...(await read(on)), ...(await read(on))];
  assert.deepEqual(await inOneTrip<[number[]]>(pool, (trip) => [twice(trip)]), [[1, 1]]);
});

test("a function that fails before its statement fails the trip, and nothing else", async () => {
  const fail = async (): Promise<number> => {
    throw new RangeError("no literal");
  };
  const work = inTransaction(pool, (tx) =>
    inOneTrip<[number, number]>(tx, (trip) => [fail(), insert(trip, 4)]),
  );
  // An unhandled rejection during the trip would fail this file.
  await assert.rejects(work, RangeError);
  assert.deepEqual(await read(pool), [1]);
});

test("refuses a statement with values, which would overtake the others", async () => {
  const withValues = (on: Statements) => on.query("SELECT ?", [1]);
  await assert.rejects(
    inOneTrip(pool, (trip) => [withValues(trip)]),
    /overtake/,
  );
});
