import type { PoolConnection, RowDataPacket } from "mysql2/promise";
import { inChunks } from "./in-chunks.ts";
import { insertRows } from "./insert-rows.ts";
import type { Queryable } from "./queryable.ts";
import { quoteHex, quoteText, quoteTime } from "./sql-text.ts";

/** A request that took effect: what it asked for, and what it was answered. Kept for ever. Both in hex. */
export type OnceAnswer = {
  readonly requestId: string;
  readonly sha256: string;
  readonly result: string;
};

/**
 * Reads which requests of a method took effect, by request id. Twins meet at the account's wallet, when the caller has
 * locked it, or else at the unique key.
 */
export async function readOnceKeys(
  tx: Queryable,
  of: {
    readonly accountId: string;
    readonly method: string;
    readonly requestIds: readonly string[];
  },
): Promise<Map<string, OnceAnswer>> {
  const found = new Map<string, OnceAnswer>();
  for (const chunk of inChunks(of.requestIds)) {
    const [rows] = await tx.query<KeyRow[]>(
      `SELECT request_id, LOWER(HEX(sha256)) AS sha256, LOWER(HEX(result)) AS result
       FROM idempotency_key FORCE INDEX (PRIMARY)
       WHERE account_id = ${quoteText(of.accountId)} AND method = ${quoteText(of.method)}
         AND request_id IN (${chunk.map(quoteText).join(",")})`,
    );
    for (const { request_id: requestId, sha256, result } of rows) {
      found.set(requestId, { requestId, sha256, result });
    }
  }
  return found;
}

/** Records requests that take effect in this transaction. */
export async function insertOnceKeys(
  tx: PoolConnection,
  of: { readonly accountId: string; readonly method: string; readonly nowMs: number },
  keys: readonly OnceAnswer[],
): Promise<void> {
  const account = quoteText(of.accountId);
  const method = quoteText(of.method);
  const createTime = quoteTime(of.nowMs);
  const columns = [
    { name: "account_id", literal: () => account },
    { name: "method", literal: () => method },
    { name: "request_id", literal: (key: OnceAnswer) => quoteText(key.requestId) },
    { name: "sha256", literal: (key: OnceAnswer) => quoteHex(key.sha256) },
    { name: "result", literal: (key: OnceAnswer) => quoteHex(key.result) },
    { name: "create_time", literal: () => createTime },
  ];
  await insertRows(tx, { table: "idempotency_key", columns }, keys);
}

type KeyRow = RowDataPacket & {
  readonly request_id: string;
  readonly sha256: string;
  readonly result: string;
};
