import { oneOf, type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import type { Nanos } from "@farebox/kit/money";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import {
  type Refund,
  type RefundState,
  type RefundTold,
  refundOrigins,
  refundStateAfter,
  refundStates,
  refundTolds,
} from "../domain/refund.ts";

/** Writes a new refund, due at once. Throws a duplicate when its request or its provider's id is known. */
export async function insertRefund(db: Queryable, refund: Refund): Promise<void> {
  await db.query("INSERT INTO refund SET ?", [
    {
      id: toBytes(refund.id),
      payment_id: toBytes(refund.paymentId),
      account_id: refund.accountId,
      order_id: refund.orderId,
      request_id: refund.requestId,
      amount: refund.amount,
      currency_code: refund.currencyCode,
      minor: refund.minor,
      state: refund.state,
      origin: refund.origin,
      told: refund.told,
      provider_refund_id: refund.providerRefundId || null,
      failure_reason: refund.failureReason.slice(0, 64),
      due_time: toTime(refund.createTimeMs),
      create_time: toTime(refund.createTimeMs),
    },
  ]);
}

export type RefundKey =
  | { readonly id: string }
  | { readonly providerRefundId: string }
  | { readonly paymentId: string; readonly requestId: string };

/** Reads a refund as last committed. */
export async function readRefund(db: Queryable, key: RefundKey): Promise<Refund | undefined> {
  const [where, values] = whereOf(key);
  const [rows] = await db.query<RefundRow[]>(`${select} WHERE ${where}`, values);
  return rows[0] && toRefund(rows[0]);
}

function whereOf(key: RefundKey): [string, unknown[]] {
  if ("id" in key) return ["id = ?", [toBytes(key.id)]];
  if ("providerRefundId" in key) return ["provider_refund_id = ?", [key.providerRefundId]];
  return ["payment_id = ? AND request_id = ?", [toBytes(key.paymentId), key.requestId]];
}

/** Every refund of a payment that did not fail adds up to this. */
export async function sumRefunds(db: Queryable, paymentId: string): Promise<Nanos> {
  const [rows] = await db.query<(RowDataPacket & { readonly total: bigint | null })[]>(
    "SELECT CAST(SUM(amount) AS SIGNED) AS total FROM refund WHERE payment_id = ? AND state <> 'FAILED'",
    [toBytes(paymentId)],
  );
  return rows[0]?.total ?? 0n;
}

/** Writes what the provider said of a refund; what was heard before is not taken back. */
export async function moveRefund(
  db: Queryable,
  refund: Refund,
  said: {
    readonly state: RefundState;
    readonly providerRefundId?: string;
    readonly failureReason?: string;
    readonly dueMs: number | undefined;
  },
): Promise<void> {
  const state = refundStateAfter(refund.state, said.state);
  const changed = {
    state,
    ...(said.providerRefundId ? { provider_refund_id: said.providerRefundId } : {}),
    ...(said.failureReason ? { failure_reason: said.failureReason.slice(0, 64) } : {}),
    attempts: said.state === "UNKNOWN" ? refund.attempts + 1 : 0,
    due_time: toTime(said.dueMs),
  };
  await db.query("UPDATE refund SET ? WHERE id = ? AND state = ?", [
    changed,
    toBytes(refund.id),
    refund.state,
  ]);
}

/** Notes that Billing is about to be told that money left. Answers false when the refund has moved meanwhile. */
export async function markRefundTaking(db: Queryable, refund: Refund): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    "UPDATE refund SET told = 'TAKING' WHERE id = ? AND told = ? AND state = ?",
    [toBytes(refund.id), refund.told, refund.state],
  );
  return result.affectedRows === 1;
}

/** Notes what Billing knows now. */
export async function markRefundTold(
  db: Queryable,
  refund: Refund,
  told: RefundTold,
): Promise<void> {
  await db.query("UPDATE refund SET told = ?, attempts = 0 WHERE id = ? AND told = ?", [
    told,
    toBytes(refund.id),
    refund.told,
  ]);
}

/** Says when something is to be done again; undefined for never. */
export async function postponeRefund(
  db: Queryable,
  refund: Refund,
  dueMs: number | undefined,
): Promise<void> {
  await db.query("UPDATE refund SET attempts = attempts + 1, due_time = ? WHERE id = ?", [
    toTime(dueMs),
    toBytes(refund.id),
  ]);
}

/** Reads refunds, newest first, after an id. */
export async function listRefunds(
  db: Queryable,
  filter: { readonly accountId: string; readonly paymentId: string },
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<Refund[]> {
  const { accountId, paymentId } = filter;
  const conditions: [string, unknown][] = [
    ...(accountId === "" ? [] : [["account_id = ?", accountId] as [string, unknown]]),
    ...(paymentId === "" ? [] : [["payment_id = ?", toBytes(paymentId)] as [string, unknown]]),
    ...(page.after === undefined ? [] : [["id < ?", toBytes(page.after)] as [string, unknown]]),
  ];
  const where = ["TRUE", ...conditions.map(([condition]) => condition)].join(" AND ");
  const [rows] = await db.query<RefundRow[]>(`${select} WHERE ${where} ORDER BY id DESC LIMIT ?`, [
    ...conditions.map(([, value]) => value),
    page.limit,
  ]);
  return rows.map(toRefund);
}

const select = `SELECT LOWER(HEX(id)) AS hex, LOWER(HEX(payment_id)) AS payment_hex, account_id, order_id, request_id, amount,
    currency_code, minor, state, origin, told, provider_refund_id, failure_reason, attempts,
    CAST(create_time AS CHAR) AS create_text
  FROM refund`;

type RefundRow = RowDataPacket & {
  readonly hex: string;
  readonly payment_hex: string;
  readonly account_id: string;
  readonly order_id: string;
  readonly request_id: string;
  readonly amount: bigint;
  readonly currency_code: string;
  readonly minor: bigint;
  readonly state: string;
  readonly origin: string;
  readonly told: string;
  readonly provider_refund_id: string | null;
  readonly failure_reason: string;
  readonly attempts: number;
  readonly create_text: string;
};

function toRefund(row: RefundRow): Refund {
  return {
    id: row.hex,
    paymentId: row.payment_hex,
    accountId: row.account_id,
    orderId: row.order_id,
    requestId: row.request_id,
    amount: row.amount,
    currencyCode: row.currency_code,
    minor: row.minor,
    state: oneOf(refundStates, row.state),
    origin: oneOf(refundOrigins, row.origin),
    told: oneOf(refundTolds, row.told),
    providerRefundId: row.provider_refund_id ?? "",
    failureReason: row.failure_reason,
    attempts: row.attempts,
    createTimeMs: readTime(row.create_text) ?? 0,
  };
}
