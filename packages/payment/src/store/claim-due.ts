import { type Queryable, toBytes, toTime } from "@farebox/kit/column-values";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";

/** Tables whose rows say at `due_time` that something is to be done for them. */
export type DueTable =
  | "payment"
  | "refund"
  | "method_setup"
  | "payment_method"
  | "auto_recharge_attempt";

/** The ids of rows that something is to be done for, longest due first. */
export async function readDue(
  db: Queryable,
  table: DueTable,
  of: { readonly nowMs: number; readonly limit: number },
): Promise<readonly string[]> {
  const [rows] = await db.query<(RowDataPacket & { readonly hex: string })[]>(
    "SELECT LOWER(HEX(id)) AS hex FROM ?? WHERE due_time <= ? ORDER BY due_time LIMIT ?",
    [table, toTime(of.nowMs), of.limit],
  );
  return rows.map(({ hex }) => hex);
}

/** Takes a due row for a while, so that other processes leave it alone. Answers false when another has, or it is done. */
export async function claimDue(
  db: Queryable,
  table: DueTable,
  of: { readonly id: string; readonly nowMs: number; readonly untilMs: number },
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    "UPDATE ?? SET due_time = ? WHERE id = ? AND due_time <= ?",
    [table, toTime(of.untilMs), toBytes(of.id), toTime(of.nowMs)],
  );
  return result.affectedRows === 1;
}
