import { isDuplicate } from "@farebox/kit/mysql";
import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { GatewaySession } from "../domain/session-epoch.ts";
import type { Queryable } from "./queryable.ts";

/** One boot of a gateway in one epoch: who may renew. */
export type SessionKey = {
  readonly gatewayId: Uint8Array;
  readonly bootId: Uint8Array;
  readonly epoch: bigint;
};

/** A session and the gateway it is of. */
export type StoredSession = GatewaySession & { readonly gatewayId: Buffer };

/** The session of a gateway; undefined for one that never said hello. */
export async function readSession(
  db: Queryable,
  gatewayId: Uint8Array,
): Promise<StoredSession | undefined> {
  const [rows] = await db.query<SessionRow[]>(`${select} WHERE gateway_id = ?`, [bytes(gatewayId)]);
  return rows.map(toSession)[0];
}

/** Every session with leases to watch, at most `limit`: it is live, or has suspect leases that are not released. */
export async function readWatchedSessions(db: Queryable, limit: number): Promise<StoredSession[]> {
  const [rows] = await db.query<SessionRow[]>(
    `${select} WHERE suspect_epoch < epoch OR suspect_epoch > drained_epoch ORDER BY gateway_id LIMIT ?`,
    [limit],
  );
  return rows.map(toSession);
}

/** Writes the first session of a gateway; false when another process was faster. */
export async function insertSession(db: Queryable, key: SessionKey, now: Date): Promise<boolean> {
  try {
    await db.query(
      "INSERT INTO gateway_session (gateway_id, boot_id, epoch, last_seen_time) VALUES (?, ?, ?, ?)",
      [bytes(key.gatewayId), bytes(key.bootId), key.epoch, now],
    );
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

/** Moves a session to a boot and epoch; false when it is no longer at the epoch before. */
export async function takeOverSession(
  db: Queryable,
  next: SessionKey,
  now: Date,
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    `UPDATE gateway_session SET boot_id = ?, epoch = ?, renewals = renewals + 1, last_seen_time = ?
     WHERE gateway_id = ? AND epoch = ?`,
    [bytes(next.bootId), next.epoch, now, bytes(next.gatewayId), next.epoch - 1n],
  );
  return result.affectedRows === 1;
}

/** Counts a sign of life; false when the epoch is suspect or another boot has taken over. */
export async function touchSession(db: Queryable, key: SessionKey, now: Date): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    `UPDATE gateway_session SET renewals = renewals + 1, last_seen_time = ?
     WHERE gateway_id = ? AND epoch = ? AND boot_id = ? AND suspect_epoch < epoch`,
    [now, bytes(key.gatewayId), key.epoch, bytes(key.bootId)],
  );
  return result.affectedRows === 1;
}

/** Gives up epochs of a gateway that has shown no sign of life since it was read; false when it has, or was given up. */
export async function suspectEpochs(
  db: Queryable,
  session: StoredSession,
  upToEpoch: bigint,
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    `UPDATE gateway_session SET suspect_epoch = ?
     WHERE gateway_id = ? AND epoch = ? AND suspect_epoch < ? AND (epoch > ? OR renewals = ?)`,
    [upToEpoch, session.gatewayId, session.epoch, upToEpoch, upToEpoch, session.renewals],
  );
  return result.affectedRows === 1;
}

/** Records the drained epoch that a gateway states; false when the one who states it is no longer its current boot. */
export async function recordDrained(
  db: Queryable,
  holder: SessionKey,
  upToEpoch: bigint,
): Promise<boolean> {
  const [result] = await db.query<ResultSetHeader>(
    `UPDATE gateway_session SET drained_epoch = GREATEST(drained_epoch, ?)
     WHERE gateway_id = ? AND epoch = ? AND boot_id = ?`,
    [upToEpoch, bytes(holder.gatewayId), holder.epoch, bytes(holder.bootId)],
  );
  return result.affectedRows === 1;
}

/** Records that nothing more is expected of the epochs of a gateway that was lost for too long. */
export async function recordAbandoned(
  db: Queryable,
  gatewayId: Uint8Array,
  upToEpoch: bigint,
): Promise<void> {
  await db.query(
    "UPDATE gateway_session SET drained_epoch = GREATEST(drained_epoch, ?) WHERE gateway_id = ?",
    [upToEpoch, bytes(gatewayId)],
  );
}

/**
 * Forgets at most `limit` gateways that were not seen since a time and owe nothing: given up or drained to their last epoch,
 * with no lease open and no claim in flight. Returns how many. One that comes back begins anew, in epoch 1.
 */
export async function deleteLostSessions(
  db: Queryable,
  seenBefore: Date,
  limit: number,
): Promise<number> {
  const [result] = await db.query<ResultSetHeader>(
    `DELETE FROM gateway_session WHERE last_seen_time < ? AND suspect_epoch >= epoch AND drained_epoch >= suspect_epoch
       AND NOT EXISTS (SELECT 1 FROM lease FORCE INDEX (lease_gateway)
         WHERE lease.gateway_id = gateway_session.gateway_id AND lease.state IN ('OPEN', 'SUSPECT'))
       AND NOT EXISTS (SELECT 1 FROM client_request FORCE INDEX (client_request_gateway)
         WHERE client_request.gateway_id = gateway_session.gateway_id AND client_request.state = 'IN_FLIGHT')
     LIMIT ?`,
    [seenBefore, limit],
  );
  return result.affectedRows;
}

const select =
  "SELECT gateway_id, boot_id, epoch, renewals, drained_epoch, suspect_epoch FROM gateway_session";

type SessionRow = RowDataPacket & {
  readonly gateway_id: Buffer;
  readonly boot_id: Buffer;
  readonly epoch: bigint;
  readonly renewals: bigint;
  readonly drained_epoch: bigint;
  readonly suspect_epoch: bigint;
};

function toSession(row: SessionRow): StoredSession {
  return {
    gatewayId: row.gateway_id,
    bootId: row.boot_id,
    epoch: row.epoch,
    renewals: row.renewals,
    drainedEpoch: row.drained_epoch,
    suspectEpoch: row.suspect_epoch,
  };
}

/** The driver writes only Buffers as binary. */
function bytes(from: Uint8Array): Buffer {
  return Buffer.from(from.buffer, from.byteOffset, from.byteLength);
}
