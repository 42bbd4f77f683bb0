import {
  createPool,
  type Pool,
  type PoolConnection,
  type RowDataPacket,
  type TypeCastField,
} from "mysql2/promise";
import { AppError } from "./app-error.ts";

export type { Pool, PoolConnection } from "mysql2/promise";

export type MysqlOptions = {
  /** `mysql://user:password@host:port/schema`. */
  readonly url: string;
  readonly connectionsMax: number;
  /** Allows several statements in one query text; for hand-written batches only. Default false. */
  readonly multipleStatements?: boolean;
  /** How long opening a connection may take. Default 5000. */
  readonly connectMsMax?: number;
  /** How many callers may wait for a connection before the next is refused. Default 10000. */
  readonly waitersMax?: number;
  /** How many seconds a statement waits for a row lock before 1205. Default 5. */
  readonly lockWaitSecondsMax?: number;
};

/**
 * Opens a pool with the settings that money needs:
 *
 * - READ COMMITTED and strict SQL on every connection; times are UTC.
 * - BIGINT columns come back as `bigint`, always, on `query` and `execute` alike. mysql2's own number options return a
 *   number below 2^53 and a string above, which is a bug that waits for a rich customer. DECIMAL, and so SUM over
 *   BIGINT, comes back as a string: write `CAST(SUM(x) AS SIGNED)`.
 * - Amounts are `bigint` parameters of `query`, which writes them into the text as integers. Never a string, and never a
 *   bigint parameter of `execute`, which mysql2 sends as a string: the server then computes in DOUBLE, inexact above 2^53.
 * - `affectedRows` counts rows that matched, changed or not (CLIENT_FOUND_ROWS). "First time" is never read from an
 *   upsert's `affectedRows`.
 */
export function openMysql(options: MysqlOptions): Pool {
  const pool = createPool({
    uri: options.url,
    connectionLimit: options.connectionsMax,
    maxIdle: options.connectionsMax,
    queueLimit: options.waitersMax ?? 10_000,
    connectTimeout: options.connectMsMax ?? 5000,
    multipleStatements: options.multipleStatements ?? false,
    supportBigNumbers: true,
    bigNumberStrings: true,
    timezone: "Z",
    charset: "utf8mb4",
    flags: ["+FOUND_ROWS"],
    typeCast: (field: TypeCastField, next: () => unknown) => {
      const value = next();
      return field.type === "LONGLONG" && typeof value === "string" ? BigInt(value) : value;
    },
  });
  pool.pool.on("connection", (connection) => {
    // Queued on the connection before any statement of its first user.
    for (const statement of sessionSettings(options.lockWaitSecondsMax ?? 5)) {
      connection.query(statement, (error) => {
        if (error) connection.destroy();
      });
    }
  });
  return pool;
}

function sessionSettings(lockWaitSecondsMax: number): readonly string[] {
  return [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    `SET SESSION time_zone = '+00:00', SESSION innodb_lock_wait_timeout = ${lockWaitSecondsMax}, ` +
      "SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
  ];
}

/** How a transaction is bounded. */
export type TransactionOptions = {
  /** How often the whole of it is repeated after a deadlock or lock timeout. Default 5. */
  readonly retriesMax?: number;
  /** How long one try may take before its connection is given up. Default 15000. */
  readonly tryMsMax?: number;
  /** How long to wait for a free connection. Default 5000. */
  readonly acquireMsMax?: number;
  /** Checked before each try; a try under way is not interrupted. */
  readonly signal?: AbortSignal;
};

/**
 * Runs `fn` in one transaction and commits; whatever `fn` throws rolls back and is thrown on.
 *
 * Deadlocks, lock timeouts and record changes (1213, 1205, 1020) repeat the whole of `fn` with jitter, so `fn` must have
 * no effects but on `tx`. A lost connection throws UNAVAILABLE. When that was during COMMIT the outcome is unknown, and
 * the caller repeats the call with the same ids.
 */
export async function inTransaction<T>(
  pool: Pool,
  fn: (tx: PoolConnection) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const retriesMax = options.retriesMax ?? 5;
  for (let retry = 0; ; retry += 1) {
    options.signal?.throwIfAborted();
    try {
      return await tryTransaction(pool, fn, options);
    } catch (error) {
      if (!isRetryable(error)) throw mysqlAppError(error) ?? error;
      if (retry >= retriesMax) throw new AppError("UNAVAILABLE", undefined, { cause: error });
    }
    await jitter(retry);
  }
}

async function tryTransaction<T>(
  pool: Pool,
  fn: (tx: PoolConnection) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  const acquiring = pool.getConnection();
  let tx: PoolConnection;
  try {
    tx = await within(acquiring, options.acquireMsMax ?? 5000, "no connection became free");
  } catch (error) {
    // A connection that comes too late goes back to the pool.
    acquiring.then(
      (late) => late.release(),
      () => undefined,
    );
    throw error;
  }
  try {
    const result = await within(commitAfter(tx, fn), options.tryMsMax ?? 15_000, "try timed out");
    tx.release();
    return result;
  } catch (error) {
    await abandon(tx, error);
    throw error;
  }
}

/** The result, or UNAVAILABLE when it takes longer than the bound. */
async function within<T>(work: Promise<T>, boundMs: number, why: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new AppError("UNAVAILABLE", undefined, { cause: new Error(why) })),
      boundMs,
    );
  });
  try {
    return await Promise.race([work, bound]);
  } finally {
    clearTimeout(timer);
  }
}

async function commitAfter<T>(
  tx: PoolConnection,
  fn: (tx: PoolConnection) => Promise<T>,
): Promise<T> {
  await tx.query("START TRANSACTION");
  const result = await fn(tx);
  await tx.query("COMMIT");
  return result;
}

/** Rolls back, or closes a connection whose state is not certain: the server then rolls back by itself. */
async function abandon(tx: PoolConnection, error: unknown): Promise<void> {
  if (error instanceof AppError && error.reason === "UNAVAILABLE") return tx.destroy();
  if (isConnectionLost(error)) return tx.destroy();
  try {
    await tx.query({ sql: "ROLLBACK", timeout: 5000 });
    tx.release();
  } catch {
    tx.destroy();
  }
}

function jitter(retry: number): Promise<void> {
  const msMax = Math.min(100, 4 * 2 ** retry);
  return new Promise((resolve) => setTimeout(resolve, Math.random() * msMax));
}

/** Rejects when a COMMIT may be lost by a crash of the server (`innodb_flush_log_at_trx_commit` is not 1). */
export async function assertDurable(pool: Pool): Promise<void> {
  const [rows] = await pool.query<RowDataPacket[]>(
    "SELECT CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS CHAR) AS setting",
  );
  if (rows[0]?.setting !== "1") {
    throw new Error(
      `innodb_flush_log_at_trx_commit is ${rows[0]?.setting}: a crash may lose charges that were acknowledged. Set it to 1.`,
    );
  }
}

/** The refusal for a database that does not answer, or undefined for every other error. For `createChain`. */
export function mysqlAppError(error: unknown): AppError | undefined {
  if (isConnectionLost(error) || isRetryable(error)) {
    return new AppError("UNAVAILABLE", undefined, { cause: error });
  }
  return undefined;
}

/** True when a CHECK constraint refused the statement (MariaDB 4025, MySQL 3819). */
export function isCheckViolation(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 4025 || errno === 3819;
}

/** True when a unique key refused the row (1062). */
export function isDuplicate(error: unknown): boolean {
  return errnoOf(error) === 1062;
}

/** True when repeating the whole transaction may help: deadlock, lock wait timeout, record changed. */
export function isRetryable(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 1213 || errno === 1205 || errno === 1020;
}

/** Too many connections, shutting down, killed, gone away, lost; and the same before a connection stood. */
const lostErrnos = new Set([1040, 1053, 1077, 1152, 1203, 1927, 2002, 2003, 2006, 2013, 3169]);
const lostCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EHOSTUNREACH",
  "PROTOCOL_CONNECTION_LOST",
  "PROTOCOL_SEQUENCE_TIMEOUT",
]);

/** True when the database did not answer, so that a statement under way may or may not have had its effect. */
export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const errno = errnoOf(error);
  if (errno !== undefined && lostErrnos.has(errno)) return true;
  if ("code" in error && typeof error.code === "string" && lostCodes.has(error.code)) return true;
  return /connection is in closed state|Pool is closed|Queue limit reached|No connections available/i.test(
    error.message,
  );
}

function errnoOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errno" in error)) return undefined;
  return typeof error.errno === "number" ? error.errno : undefined;
}
