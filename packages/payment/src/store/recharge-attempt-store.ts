import { oneOf, type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import type { Nanos } from "@farebox/kit/money";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import {
  type AttemptState,
  attemptStates,
  dayMs,
  monthMs,
  type RecentAttempts,
  type RechargeAttempt,
} from "../domain/auto-recharge.ts";

/** Writes a new attempt, taken until `dueMs`. Throws a duplicate when the account has an open one. */
export async function insertAttempt(
  db: Queryable,
  attempt: RechargeAttempt,
  dueMs: number,
): Promise<void> {
  await db.query("INSERT INTO auto_recharge_attempt SET ?", [
    {
      id: toBytes(attempt.id),
      account_id: attempt.accountId,
      currency_code: attempt.currencyCode,
      amount: attempt.amount,
      payment_method_id: toBytes(attempt.paymentMethodId),
      state: attempt.state,
      is_open: 1,
      due_time: toTime(dueMs),
      create_time: toTime(attempt.createTimeMs),
    },
  ]);
}

/** Ends an open attempt. Answers false when it has ended already. */
export async function endAttempt(
  db: Queryable,
  { id }: RechargeAttempt,
  to: { readonly state: Exclude<AttemptState, "OPEN">; readonly reason: string },
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    `UPDATE auto_recharge_attempt SET state = ?, reason = ?, is_open = NULL, due_time = NULL
     WHERE id = ? AND is_open = 1`,
    [to.state, to.reason.slice(0, 64), toBytes(id)],
  );
  return result.affectedRows === 1;
}

/** Puts off what is to be done for an open attempt. */
export async function postponeAttempt(
  db: Queryable,
  { id }: RechargeAttempt,
  dueMs: number,
): Promise<void> {
  await db.query(
    "UPDATE auto_recharge_attempt SET attempts = attempts + 1, due_time = ? WHERE id = ? AND is_open = 1",
    [toTime(dueMs), toBytes(id)],
  );
}

/** Reads an attempt as last committed. */
export async function readAttempt(db: Queryable, id: string): Promise<RechargeAttempt | undefined> {
  const [rows] = await db.query<AttemptRow[]>(
    `SELECT LOWER(HEX(id)) AS hex, account_id, currency_code, amount, LOWER(HEX(payment_method_id)) AS method_hex, state,
       attempts, CAST(create_time AS CHAR) AS create_text
     FROM auto_recharge_attempt WHERE id = ?`,
    [toBytes(id)],
  );
  return rows[0] && toAttempt(rows[0]);
}

/** What an account tried within the last day and the last 30 days. */
export async function readRecentAttempts(
  db: Queryable,
  accountId: string,
  nowMs: number,
): Promise<RecentAttempts> {
  const [rows] = await db.query<RecentRow[]>(
    `SELECT COUNT(is_open) AS open_count, CAST(SUM(create_time > ?) AS SIGNED) AS of_day,
       CAST(MIN(IF(create_time > ?, create_time, NULL)) AS CHAR) AS day_text,
       CAST(SUM(IF(state = 'FAILED', 0, amount)) AS SIGNED) AS paid,
       CAST(MIN(IF(state = 'FAILED', NULL, create_time)) AS CHAR) AS month_text
     FROM auto_recharge_attempt WHERE account_id = ? AND create_time > ?`,
    [toTime(nowMs - dayMs), toTime(nowMs - dayMs), accountId, toTime(nowMs - monthMs)],
  );
  const [row] = rows;
  return {
    hasOpen: Number(row?.open_count ?? 0) > 0,
    ofDay: Number(row?.of_day ?? 0),
    oldestOfDayMs: readTime(row?.day_text ?? null) ?? nowMs,
    paidOfMonth: row?.paid ?? 0n,
    oldestOfMonthMs: readTime(row?.month_text ?? null) ?? nowMs,
  };
}

type AttemptRow = RowDataPacket & {
  readonly hex: string;
  readonly account_id: string;
  readonly currency_code: string;
  readonly amount: Nanos;
  readonly method_hex: string;
  readonly state: string;
  readonly attempts: number;
  readonly create_text: string;
};

type RecentRow = RowDataPacket & {
  readonly open_count: number | bigint;
  readonly of_day: number | bigint | null;
  readonly day_text: string | null;
  readonly paid: Nanos | null;
  readonly month_text: string | null;
};

function toAttempt(row: AttemptRow): RechargeAttempt {
  return {
    id: row.hex,
    accountId: row.account_id,
    currencyCode: row.currency_code,
    amount: row.amount,
    paymentMethodId: row.method_hex,
    state: oneOf(attemptStates, row.state),
    attempts: row.attempts,
    createTimeMs: readTime(row.create_text) ?? 0,
  };
}
