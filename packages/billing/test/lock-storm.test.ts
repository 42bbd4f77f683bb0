import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AppError } from "@farebox/kit/app-error";
import { inTransaction, openMysql, type Pool, type PoolConnection } from "@farebox/kit/mysql";
import type { TestDatabase } from "@farebox/kit/testing/mysql";
import type { DecodedItem } from "../src/domain/usage-item.ts";
import { openBillingDatabase } from "./open-billing-database.ts";
import { assertConserved } from "./support/assert-conserved.ts";
import { newItem, openMoneyRoom, storeDemoPrice } from "./support/money-room.ts";

// Writers that take the same rows in crossed order, on a real server: whoever loses repeats the whole transaction.

let database: TestDatabase;
before(async () => {
  database = await openBillingDatabase();
  await storeDemoPrice(database.pool);
});
after(() => database[Symbol.asyncDispose]());

/** A pool that tells of every error number that a statement in a transaction is answered with. */
async function openWatchedPool(lockWaitSecondsMax: number, onErrno: (errno: number) => void) {
  const pool = openMysql({
    url: database.url,
    connectionsMax: 16,
    lockWaitSecondsMax,
    multipleStatements: true,
  });
  const connect = pool.getConnection.bind(pool);
  const watched = new WeakSet<PoolConnection>();
  const getConnection = async () => {
    const connection = await connect();
    if (watched.has(connection)) return connection;
    watched.add(connection);
    const query = connection.query.bind(connection);
    const watchedQuery = async (...args: Parameters<typeof query>) => {
      try {
        return await query(...args);
      } catch (error) {
        if (error instanceof Error && "errno" in error) onErrno(Number(error.errno));
        throw error;
      }
    };
    return Object.assign(connection, { query: watchedQuery });
  };
  return Object.assign(pool, { getConnection });
}

/** Two accounts with a lease each, in the order that Billing locks them in. */
async function openAccounts(room: ReturnType<typeof openMoneyRoom>) {
  const ids = [await room.account(1_000_000n), await room.account(1_000_000n)].sort();
  const leases = await Promise.all(
    ids.map(async (id) => {
      const answer = await room.ask(id, { estimated: 100_000n });
      assert(answer.kind === "grant");
      return answer.lease.id;
    }),
  );
  const [first = "", second = ""] = ids;
  const itemsOf = (cost: number): DecodedItem[] =>
    ids.map((id, at) => newItem(id, cost, { leaseId: leases[at] ?? "" }));
  return { first, second, itemsOf };
}

/** Adds one to a column that no law speaks about, of both accounts, the later one first: against Billing's order. */
function crossedWrite(pool: Pool, { first, second }: { first: string; second: string }) {
  const raise = "UPDATE balance SET overdraft_limit = overdraft_limit + 1 WHERE account_id = ?";
  return inTransaction(pool, async (tx) => {
    await tx.query(raise, [second]);
    await tx.query(raise, [first]);
  });
}

/** Each is a whole call that repeats its own transaction: beyond these it is no bad luck. */
const callsMax = 20;

/** As every caller does: what was not answered is asked again, with the same ids. Throws what the last call met. */
async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (let calls = 1; ; calls += 1) {
    try {
      return await ask();
    } catch (error) {
      const isUnanswered = error instanceof AppError && error.reason === "UNAVAILABLE";
      if (!isUnanswered || calls >= callsMax) throw error;
    }
  }
}

async function overdraftLimits(ids: readonly string[]): Promise<readonly bigint[]> {
  const [rows] = await database.pool.query(
    "SELECT overdraft_limit FROM balance WHERE account_id IN (?) ORDER BY account_id",
    [ids],
  );
  assert(Array.isArray(rows));
  return rows.map((row) => ("overdraft_limit" in row ? row.overdraft_limit : undefined));
}

test("a call that is never answered is given up, not asked for ever", async () => {
  let calls = 0;
  const ask = async () => {
    calls += 1;
    throw new AppError("UNAVAILABLE");
  };
  await assert.rejects(untilAnswered(ask), { reason: "UNAVAILABLE" });
  assert.equal(calls, callsMax);
});

test("in a storm of deadlocks every batch is settled whole and once, and so is whoever locks in the other order", async () => {
  const errnos: number[] = [];
  await using pool = disposable(await openWatchedPool(5, (errno) => errnos.push(errno)));
  const room = openMoneyRoom(pool.pool);
  const accounts = await openAccounts(room);
  const deadlocksWanted = 10;
  const roundsMax = 300;
  let rounds = 0;
  let writes = 0n;
  while (errnos.filter((errno) => errno === 1213).length < deadlocksWanted && rounds < roundsMax) {
    rounds += 1;
    const batches = [accounts.itemsOf(3), accounts.itemsOf(4), accounts.itemsOf(0)];
    const settled = batches.map((items) => untilAnswered(() => room.settle(items)));
    const crossed = [1, 2, 3].map(async () => {
      try {
        await crossedWrite(pool.pool, accounts);
        writes += 1n;
      } catch (error) {
        // All its tries lost: then all of them were undone.
        assert(error instanceof AppError && error.reason === "UNAVAILABLE");
      }
    });
    const statuses = await Promise.all(settled);
    await Promise.all(crossed);
    for (const status of statuses.flat()) assert.equal(status, "APPLIED");
  }
  const deadlocks = errnos.filter((errno) => errno === 1213).length;
  assert.ok(deadlocks >= deadlocksWanted, `${deadlocks} deadlocks in ${rounds} rounds`);
  const { first, second } = accounts;
  assert.deepEqual(await overdraftLimits([first, second]), [writes, writes]);
  for (const id of [first, second]) {
    assert.partialDeepStrictEqual(await room.balance(id), { spent: BigInt(7 * rounds) });
    const charged = await room.count(`usage_transaction WHERE account_id = '${id}'`);
    assert.equal(charged, 3 * rounds);
  }
  await assertConserved(database.pool);
});

test("a lock that is not obtained in time undoes what its transaction had done, and the whole of it is done once", async () => {
  const timedOut = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let timeouts = 0;
  await using pool = disposable(
    await openWatchedPool(1, (errno) => {
      if (errno === 1205) timedOut[timeouts++]?.resolve();
    }),
  );
  const room = openMoneyRoom(pool.pool);
  const accounts = await openAccounts(room);
  const { first, second } = accounts;
  const holder = await database.pool.getConnection();
  await holder.query("START TRANSACTION");
  await holder.query("SELECT 1 FROM balance WHERE account_id = ? FOR UPDATE", [first]);
  const items = accounts.itemsOf(5);
  const settled = untilAnswered(() => room.settle(items));
  // It holds the second account's row, already raised, while it waits for the first one's.
  const crossed = crossedWrite(pool.pool, accounts);
  await Promise.all(timedOut.map(({ promise }) => promise));
  const [before] = await Promise.all([overdraftLimits([first, second]), room.balance(second)]);
  assert.deepEqual(before, [0n, 0n]);
  assert.equal(
    await room.count(`usage_transaction WHERE account_id IN ('${first}', '${second}')`),
    0,
  );
  await holder.query("ROLLBACK");
  holder.release();
  await crossed;
  assert.deepEqual(await settled, ["APPLIED", "APPLIED"]);
  assert.deepEqual(await overdraftLimits([first, second]), [1n, 1n]);
  for (const id of [first, second])
    assert.partialDeepStrictEqual(await room.balance(id), { spent: 5n });
  assert.deepEqual(await room.settle(items), ["DUPLICATE", "DUPLICATE"]);
  await assertConserved(database.pool);
});

function disposable(pool: Pool): AsyncDisposable & { readonly pool: Pool } {
  return { pool, [Symbol.asyncDispose]: () => pool.end() };
}
