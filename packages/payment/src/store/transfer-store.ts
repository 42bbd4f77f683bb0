import { type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import type { Nanos } from "@farebox/kit/money";
import type { RowDataPacket } from "mysql2/promise";
import type { Transfer } from "../domain/transfer.ts";

/** Reads what is said to have arrived for a payment, as last committed. */
export function readTransfer(db: Queryable, paymentId: string): Promise<Transfer | undefined> {
  return readOne(db, paymentId, "");
}

/** Locks and reads it: people decide one after another. */
export function lockTransfer(db: Queryable, paymentId: string): Promise<Transfer | undefined> {
  return readOne(db, paymentId, "FOR UPDATE");
}

/**
 * Writes a proposal, in place of the one before when there `isKnown` to be one. Throws a duplicate when another payment has
 * the bank's reference: an upsert would overwrite that one's row instead.
 */
export async function saveProposal(
  db: Queryable,
  transfer: Transfer,
  isKnown: boolean,
): Promise<void> {
  const changed = {
    amount: transfer.amount,
    bank_reference: transfer.bankReference,
    proposed_by: transfer.proposedBy,
    propose_time: toTime(transfer.proposeTimeMs),
  };
  const id = toBytes(transfer.paymentId);
  if (isKnown) await db.query("UPDATE transfer SET ? WHERE payment_id = ?", [changed, id]);
  else await db.query("INSERT INTO transfer SET ?", [{ payment_id: id, ...changed }]);
}

/** Notes who approved it. */
export async function approveTransfer(
  db: Queryable,
  paymentId: string,
  by: { readonly person: string; readonly nowMs: number },
): Promise<void> {
  await db.query(
    "UPDATE transfer SET approved_by = ?, approve_time = ? WHERE payment_id = ? AND approved_by IS NULL",
    [by.person, toTime(by.nowMs), toBytes(paymentId)],
  );
}

async function readOne(
  db: Queryable,
  paymentId: string,
  lock: string,
): Promise<Transfer | undefined> {
  const [rows] = await db.query<TransferRow[]>(
    `SELECT amount, bank_reference, proposed_by, CAST(propose_time AS CHAR) AS propose_text, approved_by
     FROM transfer WHERE payment_id = ? ${lock}`,
    [toBytes(paymentId)],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    paymentId,
    amount: row.amount,
    bankReference: row.bank_reference,
    proposedBy: row.proposed_by,
    proposeTimeMs: readTime(row.propose_text) ?? 0,
    approvedBy: row.approved_by ?? "",
  };
}

type TransferRow = RowDataPacket & {
  readonly amount: Nanos;
  readonly bank_reference: string;
  readonly proposed_by: string;
  readonly propose_text: string;
  readonly approved_by: string | null;
};
