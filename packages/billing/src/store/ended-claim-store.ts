import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { WalkedPage } from "./ended-lease-store.ts";
import { inChunks } from "./in-chunks.ts";
import type { ClaimKey } from "./lost-claim-store.ts";
import type { Queryable } from "./queryable.ts";
import { quoteText } from "./sql-text.ts";

/** Where a walk begins. No account has an empty id. */
export const firstClaim: ClaimKey = { accountId: "", requestId: "" };

/**
 * Looks at the next `limit` claims of client request ids after one, by account and id, and finds those that have ended and
 * were made before a time. Claims in flight are found by nobody, however old.
 */
export async function walkEndedClaims(
  db: Queryable,
  after: ClaimKey,
  limit: number,
  madeBefore: Date,
): Promise<WalkedPage<ClaimKey>> {
  const [rows] = await db.query<WalkedRow[]>(
    `SELECT account_id, request_id, state <> 'IN_FLIGHT' AND create_time < ? AS is_found
     FROM client_request FORCE INDEX (PRIMARY)
     WHERE (account_id = ? AND request_id > ?) OR account_id > ? ORDER BY account_id, request_id LIMIT ?`,
    [madeBefore, after.accountId, after.requestId, after.accountId, limit],
  );
  const keys = rows.map((row) => ({ accountId: row.account_id, requestId: row.request_id }));
  return { last: keys.at(-1), found: keys.filter((_, at) => Number(rows[at]?.is_found) === 1) };
}

/** Forgets claims, each only if it has still ended; returns how many. One that was taken over meanwhile is kept. */
export async function deleteEndedClaims(
  db: Queryable,
  claims: readonly ClaimKey[],
  madeBefore: Date,
): Promise<number> {
  let deleted = 0;
  for (const chunk of inChunks(claims)) {
    const keys = chunk.map((it) => `(${quoteText(it.accountId)},${quoteText(it.requestId)})`);
    const [result] = await db.query<ResultSetHeader>(
      `DELETE c FROM client_request AS c FORCE INDEX (PRIMARY)
       WHERE (c.account_id, c.request_id) IN (${keys.join(",")}) AND c.state <> 'IN_FLIGHT' AND c.create_time < ?`,
      [madeBefore],
    );
    deleted += result.affectedRows;
  }
  return deleted;
}

type WalkedRow = RowDataPacket & {
  readonly account_id: string;
  readonly request_id: string;
  readonly is_found: number | bigint;
};
