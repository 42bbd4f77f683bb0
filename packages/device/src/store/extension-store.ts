import { type Queryable, toBytes, toTime } from "@farebox/kit/column-values";
import type { RowDataPacket } from "mysql2/promise";

/** A request for more time on an allocation. */
export type Extension = {
  readonly addedMs: number;
  /** What was left of the term with it, when it was first asked: Billing is asked alike ever after. */
  readonly restMs: number;
  readonly isApplied: boolean;
};

export async function readExtension(
  db: Queryable,
  of: { readonly allocationId: string; readonly requestId: string },
): Promise<Extension | undefined> {
  const [rows] = await db.query<ExtensionRow[]>(
    "SELECT added_ms, rest_ms, is_applied FROM extension WHERE allocation_id = ? AND request_id = ?",
    [toBytes(of.allocationId), of.requestId],
  );
  const [row] = rows;
  return (
    row && {
      addedMs: Number(row.added_ms),
      restMs: Number(row.rest_ms),
      isApplied: row.is_applied === 1,
    }
  );
}

export async function addExtension(
  db: Queryable,
  of: {
    readonly allocationId: string;
    readonly requestId: string;
    readonly addedMs: number;
    readonly restMs: number;
    readonly nowMs: number;
  },
): Promise<void> {
  await db.query("INSERT INTO extension SET ?", [
    {
      allocation_id: toBytes(of.allocationId),
      request_id: of.requestId,
      added_ms: of.addedMs,
      rest_ms: of.restMs,
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

type ExtensionRow = RowDataPacket & {
  readonly added_ms: bigint;
  readonly rest_ms: bigint;
  readonly is_applied: number;
};
