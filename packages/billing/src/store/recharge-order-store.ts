import type { PoolConnection } from "@farebox/kit/mysql";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import {
  type PlacedOrder,
  paymentMethodKinds,
  type RechargeState,
  rechargeStates,
} from "../domain/recharge-order.ts";
import { oneOf } from "./mapping.ts";
import type { Queryable } from "./queryable.ts";
import { quoteHex, quoteText, quoteTime, readTime, timeText } from "./sql-text.ts";

/** Writes a new order. */
export async function insertOrder(tx: PoolConnection, order: PlacedOrder): Promise<void> {
  await tx.query("INSERT INTO recharge_order SET ?", [
    {
      account_id: order.accountId,
      id: Buffer.from(order.id, "hex"),
      state: order.state,
      amount: order.amount,
      currency_code: order.currencyCode,
      method: order.method,
      payment_method_id: order.paymentMethodId,
      payment_url: order.paymentUrl,
      return_url: order.returnUrl,
      client_ip: order.clientIp,
      expire_time: timeText(order.expireTimeMs),
      create_time: timeText(order.createTimeMs),
    },
  ]);
}

/** Reads an order as last committed. */
export async function readOrder(db: Queryable, id: string): Promise<PlacedOrder | undefined> {
  const [rows] = await db.query<OrderRow[]>(`${selectOrders} WHERE o.id = ${quoteHex(id)}`);
  return rows[0] && toOrder(rows[0]);
}

/** Locks and reads an order. Its account is locked afterwards, never before. */
export async function lockOrder(
  tx: PoolConnection,
  { accountId, id }: { readonly accountId: string; readonly id: string },
): Promise<PlacedOrder | undefined> {
  const [rows] = await tx.query<OrderRow[]>(
    `${selectOrders} WHERE o.account_id = ${quoteText(accountId)} AND o.id = ${quoteHex(id)} FOR UPDATE`,
  );
  return rows[0] && toOrder(rows[0]);
}

/** Writes what changed of a locked order. */
export async function saveOrder(
  tx: PoolConnection,
  before: PlacedOrder,
  after: PlacedOrder,
): Promise<void> {
  const { state, paymentId, credited, reversed, reserved, creditTimeMs } = after;
  const creditTime = creditTimeMs === undefined ? null : timeText(creditTimeMs);
  const [result] = await tx.query<ResultSetHeader>(
    `UPDATE recharge_order SET state = ?, payment_id = ?, credited = ?, reversed = ?, reserved = ?, credit_time = ?
     WHERE account_id = ? AND id = ? AND state = ? AND reversed = ? AND reserved = ?`,
    [
      ...[state, paymentId ?? null, credited, reversed, reserved, creditTime],
      ...[before.accountId, Buffer.from(before.id, "hex")],
      ...[before.state, before.reversed, before.reserved],
    ],
  );
  if (result.affectedRows !== 1) throw new Error(`order ${before.id} changed under its lock`);
}

/** Notes which payment collects for an order, while it is pending and no other payment does. */
export async function recordPayment(
  db: Queryable,
  order: PlacedOrder,
  payment: { readonly paymentId: string; readonly paymentUrl: string },
): Promise<void> {
  await db.query(
    `UPDATE recharge_order SET payment_id = ?, payment_url = ?
     WHERE account_id = ? AND id = ? AND state = 'PENDING' AND (payment_id IS NULL OR payment_id = ?)`,
    [
      ...[payment.paymentId, payment.paymentUrl, order.accountId, Buffer.from(order.id, "hex")],
      payment.paymentId,
    ],
  );
}

/** Ends a pending order: whose payment failed or, when `paymentId` is undefined, for which none will ever be. */
export async function cancelPending(
  db: Queryable,
  order: PlacedOrder,
  paymentId: string | undefined,
): Promise<void> {
  const collects = paymentId === undefined ? "" : `, payment_id = ${quoteText(paymentId)}`;
  const unpaid = paymentId === undefined ? "AND payment_id IS NULL" : "";
  await db.query(
    `UPDATE recharge_order SET state = 'CANCELLED'${collects} WHERE account_id = ? AND id = ? AND state = 'PENDING' ${unpaid}`,
    [order.accountId, Buffer.from(order.id, "hex")],
  );
}

/** Orders that still wait although their time was up before an instant, longest overdue first. */
export async function readOverdueOrders(
  db: Queryable,
  of: { readonly beforeMs: number; readonly limit: number },
): Promise<PlacedOrder[]> {
  const [rows] = await db.query<OrderRow[]>(
    `${selectOrders} WHERE o.state = 'PENDING' AND o.expire_time <= ${quoteTime(of.beforeMs)}
     ORDER BY o.expire_time LIMIT ${of.limit}`,
  );
  return rows.map(toOrder);
}

/** Marks an order as expired that is still pending. Answers whether it was. */
export async function expirePending(db: Queryable, order: PlacedOrder): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    "UPDATE recharge_order SET state = 'EXPIRED' WHERE account_id = ? AND id = ? AND state = 'PENDING'",
    [order.accountId, Buffer.from(order.id, "hex")],
  );
  return result.affectedRows === 1;
}

/** Counts the orders that wait for a person, up to a bound. */
export async function countParkedOrders(db: Queryable, countMax: number): Promise<number> {
  const [rows] = await db.query<RowDataPacket[]>(
    `SELECT COUNT(*) AS n FROM (SELECT 1 FROM recharge_order WHERE state = 'PARKED' LIMIT ${countMax}) AS parked`,
  );
  return Number(rows[0]?.n);
}

export type OrderFilter = {
  /** Empty for every account. */
  readonly accountId: string;
  readonly state: RechargeState | undefined;
  /** Inclusive. */
  readonly startMs: number | undefined;
  /** Exclusive. */
  readonly endMs: number | undefined;
};

/** Reads orders, newest first, after an id. */
export async function listOrders(
  db: Queryable,
  filter: OrderFilter,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<PlacedOrder[]> {
  const { accountId, state, startMs, endMs } = filter;
  const conditions = [
    ...(accountId === "" ? [] : [`o.account_id = ${quoteText(accountId)}`]),
    ...(state === undefined ? [] : [`o.state = '${state}'`]),
    ...(startMs === undefined ? [] : [`o.create_time >= ${quoteTime(startMs)}`]),
    ...(endMs === undefined ? [] : [`o.create_time < ${quoteTime(endMs)}`]),
    ...(page.after === undefined ? [] : [`o.id < ${quoteHex(page.after)}`]),
  ];
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const [rows] = await db.query<OrderRow[]>(
    `${selectOrders} ${where} ORDER BY o.id DESC LIMIT ${page.limit}`,
  );
  return rows.map(toOrder);
}

const selectOrders = `SELECT o.account_id, LOWER(HEX(o.id)) AS order_id, o.state, o.amount, o.currency_code, o.method,
    o.payment_method_id, o.payment_id, o.credited, o.reversed, o.reserved, o.payment_url, o.return_url, o.client_ip,
    CAST(o.expire_time AS CHAR) AS expire_text, CAST(o.credit_time AS CHAR) AS credit_text,
    CAST(o.create_time AS CHAR) AS create_text
  FROM recharge_order AS o`;

type OrderRow = RowDataPacket & {
  readonly account_id: string;
  readonly order_id: string;
  readonly state: string;
  readonly amount: bigint;
  readonly currency_code: string;
  readonly method: string;
  readonly payment_method_id: string;
  readonly payment_id: string | null;
  readonly credited: bigint;
  readonly reversed: bigint;
  readonly reserved: bigint;
  readonly payment_url: string;
  readonly return_url: string;
  readonly client_ip: string;
  readonly expire_text: string;
  readonly credit_text: string | null;
  readonly create_text: string;
};

function toOrder(row: OrderRow): PlacedOrder {
  return {
    id: row.order_id,
    accountId: row.account_id,
    state: oneOf(rechargeStates, row.state),
    amount: row.amount,
    currencyCode: row.currency_code,
    method: oneOf(paymentMethodKinds, row.method),
    paymentMethodId: row.payment_method_id,
    paymentId: row.payment_id ?? undefined,
    credited: row.credited,
    reversed: row.reversed,
    reserved: row.reserved,
    paymentUrl: row.payment_url,
    returnUrl: row.return_url,
    clientIp: row.client_ip,
    createTimeMs: readTime(row.create_text),
    expireTimeMs: readTime(row.expire_text),
    creditTimeMs: row.credit_text === null ? undefined : readTime(row.credit_text),
  };
}
