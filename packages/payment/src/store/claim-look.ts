import { type Queryable, toBytes, toTime } from "@farebox/kit/column-values";
import type { ResultSetHeader } from "mysql2/promise";

/** Answers whether a payer's page may ask the provider now: not when it, or another one, has done so lately. */
export async function claimLook(
  db: Queryable,
  table: "payment" | "method_setup",
  of: { readonly id: string; readonly nowMs: number; readonly pauseMs: number },
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    "UPDATE ?? SET look_time = ? WHERE id = ? AND (look_time IS NULL OR look_time <= ?)",
    [table, toTime(of.nowMs), toBytes(of.id), toTime(of.nowMs - of.pauseMs)],
  );
  return result.affectedRows === 1;
}
