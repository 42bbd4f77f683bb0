import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { LeaseName } from "./lock-leases.ts";
import type { Queryable } from "./queryable.ts";
import { readTime } from "./sql-text.ts";

/** A lease that no stream renews. */
export type StrictLease = LeaseName & {
  readonly expireTimeMs: number;
  readonly isExpired: boolean;
  readonly validForMs: number;
};

/** Open leases of epochs that were given up, at most `limit`. */
export function readOpenLeasesOfSuspectEpochs(db: Queryable, limit: number): Promise<LeaseName[]> {
  return readLeases(
    db,
    `FROM gateway_session AS s STRAIGHT_JOIN lease AS l FORCE INDEX (lease_gateway)
       ON l.gateway_id = s.gateway_id AND l.state = 'OPEN' AND l.gateway_epoch <= s.suspect_epoch
     WHERE s.suspect_epoch > s.drained_epoch`,
    limit,
  );
}

/** Leases still held by epochs that were drained or abandoned, at most `limit`. */
export async function readLeasesOfDrainedEpochs(
  db: Queryable,
  limit: number,
): Promise<LeaseName[]> {
  return readLeases(
    db,
    `FROM gateway_session AS s STRAIGHT_JOIN lease AS l FORCE INDEX (lease_gateway)
       ON l.gateway_id = s.gateway_id AND l.state IN ('OPEN', 'SUSPECT')
      AND l.gateway_epoch <= s.drained_epoch
     WHERE s.drained_epoch > 0`,
    limit,
  );
}

/** Leases still held by epochs of one gateway, at most `limit`. */
export function readLeasesOfEpochs(
  db: Queryable,
  gatewayId: Buffer,
  upToEpoch: bigint,
  limit: number,
): Promise<LeaseName[]> {
  return readLeases(
    db,
    `FROM lease AS l FORCE INDEX (lease_gateway)
     WHERE l.gateway_id = ? AND l.state IN ('OPEN', 'SUSPECT') AND l.gateway_epoch <= ?`,
    limit,
    [gatewayId, upToEpoch],
  );
}

/** Makes open leases of given-up epochs suspect; returns how many were still open. */
export async function suspectLeases(
  db: Queryable,
  leases: readonly LeaseName[],
  now: Date,
): Promise<number> {
  const [result] = await db.query<ResultSetHeader>(
    `UPDATE lease FORCE INDEX (PRIMARY) SET state = 'SUSPECT', suspect_time = ? WHERE state = 'OPEN' AND gateway_id IS NOT NULL
     AND (account_id, id) IN (?)`,
    [now, leases.map((lease) => [lease.accountId, Buffer.from(lease.id, "hex")])],
  );
  return result.affectedRows;
}

/** The open strict leases that expire first, at most `limit`. */
export async function readStrictLeases(
  db: Queryable,
  now: Date,
  limit: number,
): Promise<StrictLease[]> {
  const [rows] = await db.query<StrictRow[]>(
    `SELECT account_id, LOWER(HEX(id)) AS id, CAST(expire_time AS CHAR) AS expire_time, lease.expire_time <= ? AS is_expired, valid_for_ms
     FROM lease FORCE INDEX (lease_expiry) WHERE state = 'OPEN' AND lease.expire_time > '1970-01-01'
     ORDER BY lease.expire_time LIMIT ?`,
    [now, limit],
  );
  return rows.map((row) => ({
    accountId: row.account_id,
    id: row.id,
    expireTimeMs: readTime(row.expire_time),
    isExpired: Number(row.is_expired) === 1,
    validForMs: Number(row.valid_for_ms),
  }));
}

type LeaseRow = RowDataPacket & { readonly account_id: string; readonly id: string };
type StrictRow = LeaseRow & {
  readonly expire_time: string;
  readonly is_expired: number | bigint;
  readonly valid_for_ms: bigint;
};

async function readLeases(
  db: Queryable,
  fromWhere: string,
  limit: number,
  values: readonly unknown[] = [],
): Promise<LeaseName[]> {
  const [rows] = await db.query<LeaseRow[]>(
    `SELECT l.account_id, LOWER(HEX(l.id)) AS id ${fromWhere} LIMIT ?`,
    [...values, limit],
  );
  return rows.map((row) => ({ accountId: row.account_id, id: row.id }));
}
