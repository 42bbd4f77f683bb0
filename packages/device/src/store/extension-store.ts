import { type Queryable, toBytes, toTime } from "@farebox/kit/column-values";
import type { RowDataPacket } from "mysql2/promise";

/** A request for more time on an allocation. */
export type Extension = { readonly addedMs: number; readonly isApplied: boolean };

export async function readExtension(
  db: Queryable,
  of: { readonly allocationId: string; readonly requestId: string },
): Promise<Extension | undefined> {
  const [rows] = await db.query<ExtensionRow[]>(
    "SELECT added_ms, is_applied FROM extension WHERE allocation_id = ? AND request_id = ?",
    [toBytes(of.allocationId), of.requestId],
  );
  return rows[0] && { addedMs: Number(rows[0].added_ms), isApplied: rows[0].is_applied === 1 };
}

export async function addExtension(
  db: Queryable,
  of: {
    readonly allocationId: string;
    readonly requestId: string;
    readonly addedMs: number;
    readonly nowMs: number;
  },
): Promise<void> {
  await db.query("INSERT INTO extension SET ?", [
    {
      allocation_id: toBytes(of.allocationId),
      request_id: of.requestId,
      added_ms: of.addedMs,
      create_time: toTime(of.nowMs),
    },
  ]);
}

export async function markApplied(
  db: Queryable,
  of: { readonly allocationId: string; readonly requestId: string },
): Promise<void> {
  await db.query("UPDATE extension SET is_applied = 1 WHERE allocation_id = ? AND request_id = ?", [
    toBytes(of.allocationId),
    of.requestId,
  ]);
}

/** Forgets a request that was refused: the same one may be made again. */
export async function dropExtension(
  db: Queryable,
  of: { readonly allocationId: string; readonly requestId: string },
): Promise<void> {
  await db.query(
    "DELETE FROM extension WHERE allocation_id = ? AND request_id = ? AND is_applied = 0",
    [toBytes(of.allocationId), of.requestId],
  );
}

type ExtensionRow = RowDataPacket & { readonly added_ms: bigint; readonly is_applied: number };
