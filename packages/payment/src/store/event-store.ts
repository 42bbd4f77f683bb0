import { oneOf, type Queryable, readTime, toTime } from "@farebox/kit/column-values";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import {
  type EventState,
  eventStates,
  type HeardEvent,
  type ProviderEvent,
} from "../domain/provider-event.ts";

/** Keeps an event, to be worked on at once. One that is known already changes nothing. */
export async function insertEvent(db: Queryable, event: HeardEvent, nowMs: number): Promise<void> {
  await db.query("INSERT INTO provider_event SET ? ON DUPLICATE KEY UPDATE event_id = event_id", [
    {
      provider: event.provider,
      event_id: event.eventId,
      type: event.type,
      object_id: event.objectId,
      api_version: event.apiVersion,
      state: "PENDING",
      due_time: toTime(nowMs),
      create_time: toTime(nowMs),
    },
  ]);
}

/** Takes due events for a while, oldest first, so that other processes leave them alone. */
export async function claimEvents(
  db: Queryable,
  of: { readonly nowMs: number; readonly untilMs: number; readonly limit: number },
): Promise<readonly ProviderEvent[]> {
  const [rows] = await db.query<EventRow[]>(
    `${select} WHERE due_time <= ? ORDER BY due_time, sequence LIMIT ?`,
    [toTime(of.nowMs), of.limit],
  );
  const claimed: ProviderEvent[] = [];
  for (const event of rows.map(toEvent)) {
    const [result] = await db.query<ResultSetHeader>(
      "UPDATE provider_event SET due_time = ? WHERE provider = ? AND event_id = ? AND due_time <= ?",
      [toTime(of.untilMs), event.provider, event.eventId, toTime(of.nowMs)],
    );
    if (result.affectedRows === 1) claimed.push(event);
  }
  return claimed;
}

/** Writes how far an event has come. */
export async function moveEvent(
  db: Queryable,
  event: Pick<ProviderEvent, "provider" | "eventId">,
  to: { readonly state: EventState; readonly reason: string; readonly dueMs?: number },
): Promise<void> {
  await db.query(
    `UPDATE provider_event SET state = ?, reason = ?, attempts = attempts + 1, due_time = ?
     WHERE provider = ? AND event_id = ? AND state <> 'DONE'`,
    [to.state, to.reason.slice(0, 255), toTime(to.dueMs), event.provider, event.eventId],
  );
}

/** Lets a parked event be worked on again, at once. Anything else stays as it is. */
export async function unparkEvent(
  db: Queryable,
  event: Pick<ProviderEvent, "provider" | "eventId">,
  nowMs: number,
): Promise<void> {
  await db.query(
    `UPDATE provider_event SET state = 'PENDING', attempts = 0, due_time = ?
     WHERE provider = ? AND event_id = ? AND state = 'PARKED'`,
    [toTime(nowMs), event.provider, event.eventId],
  );
}

export async function readEvent(
  db: Queryable,
  { provider, eventId }: Pick<ProviderEvent, "provider" | "eventId">,
): Promise<ProviderEvent | undefined> {
  const [rows] = await db.query<EventRow[]>(`${select} WHERE provider = ? AND event_id = ?`, [
    provider,
    eventId,
  ]);
  return rows[0] && toEvent(rows[0]);
}

/** Reads events, newest first, before a sequence number. */
export async function listEvents(
  db: Queryable,
  state: EventState | undefined,
  page: { readonly before: bigint | undefined; readonly limit: number },
): Promise<ProviderEvent[]> {
  const [rows] = await db.query<EventRow[]>(
    `${select} WHERE (? IS NULL OR state = ?) AND sequence < ? ORDER BY sequence DESC LIMIT ?`,
    [state ?? null, state ?? null, page.before ?? 9_000_000_000_000_000_000n, page.limit],
  );
  return rows.map(toEvent);
}

/** How many events wait for a person, up to a bound. */
export async function countParkedEvents(db: Queryable, countMax: number): Promise<number> {
  const [rows] = await db.query<RowDataPacket[]>(
    "SELECT COUNT(*) AS n FROM (SELECT 1 FROM provider_event WHERE state = 'PARKED' LIMIT ?) AS parked",
    [countMax],
  );
  return Number(rows[0]?.n);
}

const select = `SELECT provider, event_id, sequence, type, object_id, api_version, state, attempts, reason,
  CAST(create_time AS CHAR) AS create_text FROM provider_event`;

type EventRow = RowDataPacket & {
  readonly provider: string;
  readonly event_id: string;
  readonly sequence: bigint;
  readonly type: string;
  readonly object_id: string;
  readonly api_version: string;
  readonly state: string;
  readonly attempts: number;
  readonly reason: string;
  readonly create_text: string;
};

function toEvent(row: EventRow): ProviderEvent {
  return {
    provider: row.provider,
    eventId: row.event_id,
    sequence: row.sequence,
    type: row.type,
    objectId: row.object_id,
    apiVersion: row.api_version,
    state: oneOf(eventStates, row.state),
    attempts: row.attempts,
    reason: row.reason,
    createTimeMs: readTime(row.create_text) ?? 0,
  };
}
