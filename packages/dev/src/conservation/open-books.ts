import mysql from "mysql2/promise";

/** One consistent look at a database: every query sees the same moment. */
export type Books = {
  /** Rows by column, BIGINT and sums as decimal text, BINARY as Buffer. */
  rows(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
};

/** A row; `figure` and `text` read its columns. */
export type Row = Readonly<Record<string, unknown>>;

const lookMsMax = 120_000;

/** Opens the books of a Billing database for the length of `read`, in one snapshot that holds up nobody. */
export async function openBooks<T>(url: string, read: (books: Books) => Promise<T>): Promise<T> {
  const connection = await mysql.createConnection({
    uri: url,
    supportBigNumbers: true,
    bigNumberStrings: true,
    timezone: "Z",
    connectTimeout: 10_000,
  });
  // A server that is killed ends the connection also while no query runs.
  connection.on("error", () => undefined);
  // The driver's own time limit lives on when the connection is lost, and with it the process.
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("the books took too long")), lookMsMax);
  try {
    return await Promise.race([readInSnapshot(connection, read), late.promise]);
  } finally {
    clearTimeout(timer);
    connection.destroy();
  }
}

async function readInSnapshot<T>(
  connection: mysql.Connection,
  read: (books: Books) => Promise<T>,
): Promise<T> {
  await connection.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
  await connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT");
  return read({
    rows: async (sql, values = []) => {
      const [rows] = await connection.query<mysql.RowDataPacket[]>(sql, [...values]);
      return rows;
    },
  });
}

/** Reads a whole number; NULL, as a sum over nothing is, is zero. */
export function figure(row: Row, column: string): bigint {
  const value = row[column];
  if (value === null) return 0n;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "string") {
    return BigInt(value);
  }
  throw new Error(`${column} is not a figure`);
}

/** Reads text; a binary id as hexadecimal digits, NULL as the empty text. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (value === null) return "";
  if (Buffer.isBuffer(value)) return value.toString("hex");
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw new Error(`${column} is not text`);
}
