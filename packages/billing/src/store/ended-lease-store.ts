import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { inChunks } from "./in-chunks.ts";
import type { LeaseName } from "./lock-leases.ts";
import type { Queryable } from "./queryable.ts";
import { quoteHex, quoteText } from "./sql-text.ts";

/** One step of a walk over a table in the order of its key: how far it went, and what it found. */
export type WalkedPage<Key> = {
  /** The last row that was looked at; undefined when there was none, and the walk is over. */
  readonly last: Key | undefined;
  readonly found: readonly Key[];
};

/** Which ended leases may be forgotten. */
export type LeaseCutoff = {
  /** They ended before this. */
  readonly endedBefore: Date;
  /** And so long before the last whole look at their account that found nothing wrong. */
  readonly proofMarginMs: number;
};

/** Where a walk begins. No account has an empty id. */
export const firstLease: LeaseName = { accountId: "", id: "" };

/**
 * Looks at the next `limit` leases after one, by account and id, and finds those that may be forgotten. Nothing indexes the
 * end of a lease: whoever grants and closes them would pay for it.
 */
export async function walkEndedLeases(
  db: Queryable,
  after: LeaseName,
  limit: number,
  cutoff: LeaseCutoff,
): Promise<WalkedPage<LeaseName>> {
  const [rows] = await db.query<WalkedRow[]>(
    `SELECT l.account_id, LOWER(HEX(l.id)) AS id, ${isForgettable} AS is_found
     FROM (SELECT account_id, id, state, dead_lettered, close_time FROM lease FORCE INDEX (PRIMARY)
       WHERE (account_id = ? AND id > ?) OR account_id > ? ORDER BY account_id, id LIMIT ?) AS l
     LEFT JOIN account_proof AS p ON p.account_id = l.account_id
     ORDER BY l.account_id, l.id`,
    [
      ...cutoffValues(cutoff),
      after.accountId,
      Buffer.from(after.id, "hex"),
      after.accountId,
      limit,
    ],
  );
  const names = rows.map((row) => ({ accountId: row.account_id, id: row.id }));
  return { last: names.at(-1), found: names.filter((_, at) => Number(rows[at]?.is_found) === 1) };
}

/** Forgets leases, each only if it still may be; returns how many. */
export async function deleteEndedLeases(
  db: Queryable,
  leases: readonly LeaseName[],
  cutoff: LeaseCutoff,
): Promise<number> {
  let deleted = 0;
  for (const chunk of inChunks(leases)) {
    const keys = chunk.map(({ accountId, id }) => `(${quoteText(accountId)},${quoteHex(id)})`);
    const [result] = await db.query<ResultSetHeader>(
      `DELETE l FROM lease AS l FORCE INDEX (PRIMARY) STRAIGHT_JOIN account_proof AS p ON p.account_id = l.account_id
       WHERE (l.account_id, l.id) IN (${keys.join(",")}) AND ${isForgettable}`,
      [...cutoffValues(cutoff)],
    );
    deleted += result.affectedRows;
  }
  return deleted;
}

/**
 * What a waiting dead letter holds is proved by its lease, and one that holds nothing still needs it to be replayed: the lease
 * says which period its free units come from. Last is what reads the most: all the dead letters of the account.
 */
const isForgettable = `COALESCE(l.state IN ('CLOSED', 'RELEASED') AND l.dead_lettered = 0 AND l.close_time < ?
  AND l.close_time < p.proved_time - INTERVAL ? MICROSECOND
  AND NOT EXISTS (SELECT 1 FROM settlement_dead_letter AS d FORCE INDEX (settlement_dead_letter_item)
    WHERE d.account_id = l.account_id AND d.lease_id = l.id AND d.state = 'OPEN'), FALSE)`;

function cutoffValues({ endedBefore, proofMarginMs }: LeaseCutoff): readonly unknown[] {
  return [endedBefore, proofMarginMs * 1_000];
}

type WalkedRow = RowDataPacket & {
  readonly account_id: string;
  readonly id: string;
  readonly is_found: number | bigint;
};
