import type { Nanos } from "@farebox/kit/money";
import type { PoolConnection } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { type PlacedReversal, reversalKinds, reversalStates } from "../domain/recharge-reversal.ts";
import { oneOf } from "./mapping.ts";
import type { Queryable } from "./queryable.ts";
import { quoteText, timeText } from "./sql-text.ts";

/** Which order a reversal belongs to. Its row is locked whenever a reversal is written. */
export type OrderKey = { readonly accountId: string; readonly id: string };

/** Reads what leaves an order again, oldest first. */
export async function readReversals(db: Queryable, order: OrderKey): Promise<PlacedReversal[]> {
  const [rows] = await db.query<ReversalRow[]>(
    `SELECT reversal_id, kind, state, asked, amount FROM recharge_reversal
     WHERE account_id = ? AND order_id = ? ORDER BY create_time, reversal_id`,
    [order.accountId, Buffer.from(order.id, "hex")],
  );
  return rows.map((row) => ({
    id: row.reversal_id,
    kind: oneOf(reversalKinds, row.kind),
    state: oneOf(reversalStates, row.state),
    asked: row.asked,
    amount: row.amount,
  }));
}

/** Writes a new reversal. */
export async function insertReversal(
  tx: PoolConnection,
  order: OrderKey,
  reversal: PlacedReversal,
  nowMs: number,
): Promise<void> {
  const { id, kind, state, asked, amount } = reversal;
  await tx.query("INSERT INTO recharge_reversal SET ?", [
    {
      ...{ account_id: order.accountId, order_id: Buffer.from(order.id, "hex"), reversal_id: id },
      ...{ kind, state, asked, amount },
      ...{ create_time: timeText(nowMs), update_time: timeText(nowMs) },
    },
  ]);
}

/** Moves a reversal on. */
export async function saveReversalState(
  tx: PoolConnection,
  order: OrderKey,
  reversal: PlacedReversal,
  nowMs: number,
): Promise<void> {
  await tx.query(
    `UPDATE recharge_reversal SET state = ?, update_time = ?
     WHERE account_id = ? AND order_id = ? AND reversal_id = ?`,
    [
      ...[reversal.state, timeText(nowMs)],
      ...[order.accountId, Buffer.from(order.id, "hex"), reversal.id],
    ],
  );
}

/**
 * What refunds under way hold of an account's money, over all its orders. Read after the wallet is locked: every change of
 * it is made under that lock.
 */
export async function readReserved(tx: PoolConnection, accountId: string): Promise<Nanos> {
  const [rows] = await tx.query<RowDataPacket[]>(
    `SELECT CAST(COALESCE(SUM(amount), 0) AS SIGNED) AS reserved FROM recharge_reversal
     WHERE account_id = ${quoteText(accountId)} AND state = 'RESERVED'`,
  );
  return BigInt(rows[0]?.reserved);
}

type ReversalRow = RowDataPacket & {
  readonly reversal_id: string;
  readonly kind: string;
  readonly state: string;
  readonly asked: bigint;
  readonly amount: bigint;
};
