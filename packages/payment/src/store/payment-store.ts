import { oneOf, type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import type { RowDataPacket } from "mysql2/promise";
import { methodKinds, providerNames } from "../domain/method-capabilities.ts";
import { fromMinor } from "../domain/minor-units.ts";
import {
  type Payment,
  type PaymentReport,
  type PaymentState,
  paymentStates,
  stateAfter,
} from "../domain/payment.ts";

/** Writes a new payment, due at once. Throws a duplicate when its order has one. */
export async function insertPayment(db: Queryable, payment: Payment): Promise<void> {
  await db.query("INSERT INTO payment SET ?", [
    {
      id: toBytes(payment.id),
      provider: payment.provider,
      order_id: payment.orderId,
      account_id: payment.accountId,
      state: payment.state,
      amount: payment.amount,
      currency_code: payment.currencyCode,
      minor: payment.minor,
      method: payment.method,
      payment_method_id: payment.paymentMethodId === "" ? null : toBytes(payment.paymentMethodId),
      subject: payment.subject,
      client_ip: payment.clientIp,
      return_url: payment.returnUrl,
      payment_url: "",
      payment_code: payment.paymentCode || null,
      expire_time: toTime(payment.expireTimeMs),
      due_time: toTime(payment.createTimeMs),
      create_time: toTime(payment.createTimeMs),
    },
  ]);
}

/** What a payment is found by. */
export type PaymentKey =
  | { readonly id: string }
  | { readonly orderId: string }
  | { readonly sessionId: string }
  | { readonly intentId: string };

/** Reads a payment as last committed. */
export function readPayment(db: Queryable, key: PaymentKey): Promise<Payment | undefined> {
  return readOne(db, key, "");
}

/** Locks and reads a payment: refunds of it are decided one after another. */
export function lockPayment(db: Queryable, key: PaymentKey): Promise<Payment | undefined> {
  return readOne(db, key, "FOR UPDATE");
}

async function readOne(db: Queryable, key: PaymentKey, lock: string): Promise<Payment | undefined> {
  const [column, value] = whereOf(key);
  const [rows] = await db.query<PaymentRow[]>(`${select} WHERE ?? = ? ${lock}`, [column, value]);
  return rows[0] && toPayment(rows[0]);
}

function whereOf(key: PaymentKey): readonly [string, string | Buffer] {
  if ("id" in key) return ["id", toBytes(key.id)];
  if ("orderId" in key) return ["order_id", key.orderId];
  return "sessionId" in key ? ["session_id", key.sessionId] : ["intent_id", key.intentId];
}

/**
 * Writes what the provider said, in the state that follows from the one the row is in now. What is known of an id, a page
 * or a method is not forgotten by a report that says nothing of it. Answers the payment as it then stands.
 */
export async function applyReport(
  db: Queryable,
  payment: Payment,
  report: PaymentReport,
  at: { readonly nowMs: number; readonly dueMs: number | undefined },
): Promise<void> {
  const state = stateAfter(payment, report);
  const isArrival =
    report.state === "PAID" && payment.state !== "PAID" && payment.state !== "PARKED";
  const parked = isArrival && state === "PARKED";
  const changed = {
    state,
    ...(report.sessionId === "" ? {} : { session_id: report.sessionId }),
    ...(report.intentId === "" ? {} : { intent_id: report.intentId }),
    ...(report.method === "UNSPECIFIED" ? {} : { paid_method: report.method }),
    ...(report.declineCode === "" ? {} : { decline_code: report.declineCode }),
    payment_url: state === "PENDING" ? report.paymentUrl || payment.paymentUrl : "",
    is_test: report.isTest ? 1 : 0,
    attempts: 0,
    due_time: toTime(at.dueMs),
    ...(isArrival ? { paid_time: toTime(at.nowMs), is_told: 0 } : {}),
    ...(parked
      ? {
          arrived: fromMinor(report.minor, report.currencyCode),
          arrived_currency: report.currencyCode,
        }
      : {}),
  };
  // Another state by now means that somebody else heard more: what they wrote stands.
  await db.query("UPDATE payment SET ? WHERE id = ? AND state = ?", [
    changed,
    toBytes(payment.id),
    payment.state,
  ]);
}

/** Notes that the provider was asked and what came of it is not known. */
export async function markUnknown(db: Queryable, payment: Payment, dueMs: number): Promise<void> {
  await db.query(
    `UPDATE payment SET state = IF(state = 'CREATED', 'UNKNOWN', state), attempts = attempts + 1, due_time = ? WHERE id = ?`,
    [toTime(dueMs), toBytes(payment.id)],
  );
}

/** Ends a payment that the provider refused for good, or knows nothing of, before anything was paid. */
export async function markRefused(
  db: Queryable,
  payment: Payment,
  declineCode: string,
  dueMs: number,
): Promise<void> {
  await db.query(
    `UPDATE payment SET state = 'FAILED', decline_code = ?, due_time = ? WHERE id = ? AND state IN ('CREATED', 'UNKNOWN', 'PENDING')`,
    [declineCode.slice(0, 64), toTime(dueMs), toBytes(payment.id)],
  );
}

/** Notes that Billing knows how the payment ended: nothing is left to do. */
export async function markTold(db: Queryable, payment: Payment): Promise<void> {
  await db.query(
    "UPDATE payment SET is_told = 1, attempts = 0, due_time = NULL WHERE id = ? AND state = ?",
    [toBytes(payment.id), payment.state],
  );
}

/** Makes a payment due at once that may still be paid, also one that Billing was told has expired. */
export async function makeDue(db: Queryable, id: string, nowMs: number): Promise<void> {
  await db.query(
    `UPDATE payment SET due_time = ?, is_told = 0
     WHERE id = ? AND state IN ('CREATED', 'UNKNOWN', 'PENDING', 'EXPIRED')`,
    [toTime(nowMs), toBytes(id)],
  );
}

/** Puts off what is to be done. */
export async function postponePayment(
  db: Queryable,
  payment: Payment,
  dueMs: number,
): Promise<void> {
  await db.query("UPDATE payment SET attempts = attempts + 1, due_time = ? WHERE id = ?", [
    toTime(dueMs),
    toBytes(payment.id),
  ]);
}

export type PaymentFilter = {
  /** Empty for every account. */
  readonly accountId: string;
  /** Empty for every order. */
  readonly orderId: string;
  /** Empty for every code. */
  readonly paymentCode: string;
  readonly state: PaymentState | undefined;
};

/** Reads payments, newest first, after an id. */
export async function listPayments(
  db: Queryable,
  filter: PaymentFilter,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<Payment[]> {
  const { accountId, orderId, paymentCode, state } = filter;
  const conditions: [string, unknown][] = [
    ...(accountId === "" ? [] : [["account_id = ?", accountId] as [string, unknown]]),
    ...(orderId === "" ? [] : [["order_id = ?", orderId] as [string, unknown]]),
    ...(paymentCode === "" ? [] : [["payment_code = ?", paymentCode] as [string, unknown]]),
    ...(state === undefined ? [] : [["state = ?", state] as [string, unknown]]),
    ...(page.after === undefined ? [] : [["id < ?", toBytes(page.after)] as [string, unknown]]),
  ];
  const where = ["TRUE", ...conditions.map(([condition]) => condition)].join(" AND ");
  const [rows] = await db.query<PaymentRow[]>(`${select} WHERE ${where} ORDER BY id DESC LIMIT ?`, [
    ...conditions.map(([, value]) => value),
    page.limit,
  ]);
  return rows.map(toPayment);
}

/** How many payments wait for a person, up to a bound. */
export async function countParkedPayments(db: Queryable, countMax: number): Promise<number> {
  const [rows] = await db.query<RowDataPacket[]>(
    "SELECT COUNT(*) AS n FROM (SELECT 1 FROM payment WHERE state = 'PARKED' LIMIT ?) AS parked",
    [countMax],
  );
  return Number(rows[0]?.n);
}

const select = `SELECT LOWER(HEX(id)) AS hex, provider, order_id, account_id, state, amount, currency_code, minor, method, paid_method,
    LOWER(HEX(payment_method_id)) AS method_hex, payment_code, subject, client_ip, return_url, CAST(expire_time AS CHAR) AS expire_text, session_id, intent_id, is_test, payment_url,
    decline_code, arrived, arrived_currency, is_told, attempts, CAST(paid_time AS CHAR) AS paid_text,
    CAST(create_time AS CHAR) AS create_text
  FROM payment`;

type PaymentRow = RowDataPacket & {
  readonly hex: string;
  readonly provider: string;
  readonly order_id: string;
  readonly account_id: string;
  readonly state: string;
  readonly amount: bigint;
  readonly currency_code: string;
  readonly minor: bigint;
  readonly method: string;
  readonly paid_method: string;
  readonly method_hex: string | null;
  readonly payment_code: string | null;
  readonly subject: string;
  readonly client_ip: string;
  readonly return_url: string;
  readonly expire_text: string | null;
  readonly session_id: string | null;
  readonly intent_id: string | null;
  readonly is_test: number;
  readonly payment_url: string;
  readonly decline_code: string;
  readonly arrived: bigint | null;
  readonly arrived_currency: string;
  readonly is_told: number;
  readonly attempts: number;
  readonly paid_text: string | null;
  readonly create_text: string;
};

function toPayment(row: PaymentRow): Payment {
  return {
    id: row.hex,
    provider: oneOf(providerNames, row.provider),
    orderId: row.order_id,
    accountId: row.account_id,
    state: oneOf(paymentStates, row.state),
    amount: row.amount,
    currencyCode: row.currency_code,
    minor: row.minor,
    method: oneOf(methodKinds, row.method),
    paymentMethodId: row.method_hex ?? "",
    paidMethod: oneOf(methodKinds, row.paid_method),
    subject: row.subject,
    clientIp: row.client_ip,
    returnUrl: row.return_url,
    expireTimeMs: readTime(row.expire_text),
    sessionId: row.session_id ?? "",
    intentId: row.intent_id ?? "",
    isTest: row.is_test === 1,
    paymentUrl: row.payment_url,
    paymentCode: row.payment_code ?? "",
    declineCode: row.decline_code,
    arrived: row.arrived ?? undefined,
    arrivedCurrency: row.arrived_currency,
    isTold: row.is_told === 1,
    attempts: row.attempts,
    paidTimeMs: readTime(row.paid_text),
    createTimeMs: readTime(row.create_text) ?? 0,
  };
}
