import { type Queryable, readTime, toBytes, toTime } from "@farebox/kit/column-values";
import { newUuid } from "@farebox/kit/ids";
import type { Nanos } from "@farebox/kit/money";
import { isDuplicate } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";

/** Where the provider's books and ours did not agree. Ids are 32 lower-case hex digits. */
export type Difference = {
  readonly id: string;
  /** Names what kind of difference it is, for ever. */
  readonly kind: string;
  /** The provider's id of the object. */
  readonly objectId: string;
  /** Empty when we know none. */
  readonly paymentId: string;
  readonly providerAmount: Nanos;
  readonly ourAmount: Nanos;
  readonly currencyCode: string;
  readonly isRepaired: boolean;
  readonly createTimeMs: number;
};

/** Notes a difference. Answers whether it is new; one that is known is at most marked as repaired. */
export async function noteDifference(
  db: Queryable,
  found: Omit<Difference, "id" | "createTimeMs">,
  nowMs: number,
): Promise<boolean> {
  try {
    await db.query("INSERT INTO payment_difference SET ?", [
      {
        id: newUuid(),
        kind: found.kind,
        object_id: found.objectId,
        payment_id: found.paymentId === "" ? null : toBytes(found.paymentId),
        provider_amount: found.providerAmount,
        our_amount: found.ourAmount,
        currency_code: found.currencyCode,
        is_repaired: found.isRepaired ? 1 : 0,
        create_time: toTime(nowMs),
      },
    ]);
    return true;
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
  await db.query(
    "UPDATE payment_difference SET is_repaired = GREATEST(is_repaired, ?) WHERE kind = ? AND object_id = ?",
    [found.isRepaired ? 1 : 0, found.kind, found.objectId],
  );
  return false;
}

/** Reads differences, newest first, after an id. */
export async function listDifferences(
  db: Queryable,
  openOnly: boolean,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<Difference[]> {
  const [rows] = await db.query<DifferenceRow[]>(
    `SELECT LOWER(HEX(id)) AS hex, kind, object_id, LOWER(HEX(payment_id)) AS payment_hex, provider_amount, our_amount,
       currency_code, is_repaired, CAST(create_time AS CHAR) AS create_text
     FROM payment_difference WHERE (? = 0 OR is_repaired = 0) AND (? IS NULL OR id < ?) ORDER BY id DESC LIMIT ?`,
    [
      openOnly ? 1 : 0,
      page.after === undefined ? null : toBytes(page.after),
      page.after === undefined ? null : toBytes(page.after),
      page.limit,
    ],
  );
  return rows.map((row) => ({
    id: row.hex,
    kind: row.kind,
    objectId: row.object_id,
    paymentId: row.payment_hex ?? "",
    providerAmount: row.provider_amount,
    ourAmount: row.our_amount,
    currencyCode: row.currency_code,
    isRepaired: row.is_repaired === 1,
    createTimeMs: readTime(row.create_text) ?? 0,
  }));
}

type DifferenceRow = RowDataPacket & {
  readonly hex: string;
  readonly kind: string;
  readonly object_id: string;
  readonly payment_hex: string | null;
  readonly provider_amount: bigint;
  readonly our_amount: bigint;
  readonly currency_code: string;
  readonly is_repaired: number;
  readonly create_text: string;
};
