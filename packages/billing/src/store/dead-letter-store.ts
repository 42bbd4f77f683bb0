import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { type DeadLetter, type DeadLetterState, deadLetterStates } from "../domain/dead-letter.ts";
import type { Queryable } from "./queryable.ts";

export type DeadLetterFilter = {
  /** Empty for every account's. */
  readonly accountId: string;
  readonly state: DeadLetterState;
};

/** A page of dead letters, oldest first, after an id. */
export async function readDeadLetters(
  db: Queryable,
  filter: DeadLetterFilter,
  page: { readonly after: string; readonly limit: number },
): Promise<DeadLetter[]> {
  const { accountId, state } = filter;
  const ofAccount = accountId === "" ? "" : "AND letter.account_id = ?";
  const [rows] = await db.query<DeadLetterRow[]>(
    `${select} WHERE letter.state = ? AND letter.id > ? ${ofAccount} ORDER BY letter.id LIMIT ?`,
    [state, Buffer.from(page.after, "hex"), ...(accountId === "" ? [] : [accountId]), page.limit],
  );
  return rows.map(toDeadLetter);
}

/** One dead letter; undefined when there is none of this id. */
export async function readDeadLetter(db: Queryable, id: string): Promise<DeadLetter | undefined> {
  const [rows] = await db.query<DeadLetterRow[]>(`${select} WHERE letter.id = ?`, [
    Buffer.from(id, "hex"),
  ]);
  return rows.map(toDeadLetter)[0];
}

/** The same, locked for the caller's transaction. To be called after leases and balances are locked. */
export async function lockDeadLetter(db: Queryable, id: string): Promise<DeadLetter | undefined> {
  await db.query("SELECT 1 FROM settlement_dead_letter WHERE id = ? FOR UPDATE", [
    Buffer.from(id, "hex"),
  ]);
  return readDeadLetter(db, id);
}

/** Ends a dead letter that waits; it then holds nothing. False when it was ended before. */
export async function closeDeadLetter(
  db: Queryable,
  id: string,
  state: Exclude<DeadLetterState, "OPEN">,
  now: Date,
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    "UPDATE settlement_dead_letter SET state = ?, held = 0, close_time = ? WHERE id = ? AND state = 'OPEN'",
    [state, now, Buffer.from(id, "hex")],
  );
  return result.affectedRows === 1;
}

/** How many dead letters wait, counted up to `max`. */
export async function countOpenDeadLetters(db: Queryable, max: number): Promise<number> {
  const [rows] = await db.query<RowDataPacket[]>(
    `SELECT COUNT(*) AS count FROM
       (SELECT 1 FROM settlement_dead_letter WHERE state = 'OPEN' LIMIT ?) AS waiting`,
    [max],
  );
  return Number(rows[0]?.count ?? 0);
}

const select = `SELECT letter.id, letter.account_id, account.currency_code, letter.lease_id, letter.item, letter.reason,
    letter.field, letter.held, letter.state, letter.create_time
  FROM settlement_dead_letter AS letter LEFT JOIN account ON account.id = letter.account_id`;

type DeadLetterRow = RowDataPacket & {
  readonly id: Buffer;
  readonly account_id: string;
  readonly currency_code: string | null;
  readonly lease_id: Buffer | null;
  readonly item: Buffer;
  readonly reason: number;
  readonly field: string;
  readonly held: bigint;
  readonly state: string;
  readonly create_time: Date;
};

function toDeadLetter(row: DeadLetterRow): DeadLetter {
  const state = deadLetterStates.find((known) => known === row.state);
  if (state === undefined) throw new Error(`no such state of a dead letter: ${row.state}`);
  return {
    id: row.id.toString("hex"),
    accountId: row.account_id,
    currencyCode: row.currency_code ?? "",
    leaseId: row.lease_id?.toString("hex") ?? "",
    item: row.item,
    reason: row.reason,
    field: row.field,
    held: row.held,
    state,
    createTimeMs: row.create_time.getTime(),
  };
}
