import { type Queryable, toBytes, toTime } from "@farebox/kit/column-values";
import type { RowDataPacket } from "mysql2/promise";

/** Something that others want to hear of, told at least once. Holds no environment, command or key. */
export type OutboundEvent = {
  /** 32 hex digits; the same however often it is told. */
  readonly eventId: string;
  /** For example "device.released". */
  readonly type: string;
  readonly accountId: string;
  /** For example "alc_…". */
  readonly subjectId: string;
  readonly payload: Readonly<Record<string, string>>;
  readonly createMs: number;
};

/** Keeps an event, in the transaction that makes it true. */
export async function addEvent(db: Queryable, event: OutboundEvent): Promise<void> {
  await db.query("INSERT INTO event_outbox SET ?", [
    {
      event_id: toBytes(event.eventId),
      type: event.type,
      account_id: event.accountId,
      subject_id: event.subjectId,
      payload: JSON.stringify(event.payload),
      create_time: toTime(event.createMs),
    },
  ]);
}

/** The oldest events that were not told yet. */
export async function readEvents(
  db: Queryable,
  limit: number,
): Promise<readonly (OutboundEvent & { readonly id: bigint })[]> {
  const [rows] = await db.query<EventRow[]>(
    `SELECT id, LOWER(HEX(event_id)) AS event_hex, type, account_id, subject_id, payload,
        CAST(UNIX_TIMESTAMP(create_time) * 1000 AS SIGNED) AS create_ms FROM event_outbox ORDER BY id LIMIT ?`,
    [limit],
  );
  return rows.map((row) => ({
    id: row.id,
    eventId: row.event_hex,
    type: row.type,
    accountId: row.account_id,
    subjectId: row.subject_id,
    payload: JSON.parse(row.payload),
    createMs: Number(row.create_ms),
  }));
}

export async function forgetEvents(db: Queryable, ids: readonly bigint[]): Promise<void> {
  if (ids.length > 0) await db.query("DELETE FROM event_outbox WHERE id IN (?)", [ids]);
}

type EventRow = RowDataPacket & {
  readonly id: bigint;
  readonly event_hex: string;
  readonly type: string;
  readonly account_id: string;
  readonly subject_id: string;
  readonly payload: string;
  readonly create_ms: bigint;
};
