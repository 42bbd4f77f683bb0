import { oneOf, type Queryable, toBytes, toTime } from "@farebox/kit/column-values";
import type { Nanos } from "@farebox/kit/money";
import type { RowDataPacket } from "mysql2/promise";
import { type Dispute, type DisputeTold, disputeTolds } from "../domain/dispute.ts";

/** Writes what the provider says of a dispute, new or known, and answers it as it stands: what was so stays so. */
export async function saveDispute(
  db: Queryable,
  dispute: Omit<Dispute, "told">,
  nowMs: number,
): Promise<Dispute> {
  const { isWithdrawn, isReinstated } = dispute;
  await db.query(
    `INSERT INTO dispute SET ? ON DUPLICATE KEY UPDATE is_withdrawn = GREATEST(is_withdrawn, VALUES(is_withdrawn)),
       is_reinstated = GREATEST(is_reinstated, VALUES(is_reinstated))`,
    [
      {
        id: dispute.id,
        payment_id: toBytes(dispute.paymentId),
        order_id: dispute.orderId,
        amount: dispute.amount,
        currency_code: dispute.currencyCode,
        is_withdrawn: isWithdrawn ? 1 : 0,
        is_reinstated: isReinstated ? 1 : 0,
        told: "NOTHING",
        create_time: toTime(nowMs),
      },
    ],
  );
  const [rows] = await db.query<DisputeRow[]>(
    "SELECT is_withdrawn, is_reinstated, told FROM dispute WHERE id = ?",
    [dispute.id],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`dispute ${dispute.id} is gone`);
  return {
    ...dispute,
    isWithdrawn: row.is_withdrawn === 1,
    isReinstated: row.is_reinstated === 1,
    told: oneOf(disputeTolds, row.told),
  };
}

/** Notes what Billing knows now. */
export async function markDisputeTold(
  db: Queryable,
  dispute: Dispute,
  told: DisputeTold,
): Promise<void> {
  await db.query("UPDATE dispute SET told = ? WHERE id = ? AND told = ?", [
    told,
    dispute.id,
    dispute.told,
  ]);
}

/** What disputes have withdrawn of a payment and not reinstated. */
export async function sumDisputes(db: Queryable, paymentId: string): Promise<Nanos> {
  const [rows] = await db.query<(RowDataPacket & { readonly total: bigint | null })[]>(
    `SELECT CAST(SUM(amount) AS SIGNED) AS total FROM dispute
     WHERE payment_id = ? AND is_withdrawn = 1 AND is_reinstated = 0`,
    [toBytes(paymentId)],
  );
  return rows[0]?.total ?? 0n;
}

type DisputeRow = RowDataPacket & {
  readonly is_withdrawn: number;
  readonly is_reinstated: number;
  readonly told: string;
};
