import type { RowDataPacket } from "mysql2/promise";
import { freeUnits } from "../domain/free-quota.ts";
import type { Lease, LeaseCover, LeaseState, LeaseUnits } from "../domain/lease.ts";
import { inChunks } from "./in-chunks.ts";
import { type Statements, unformatted } from "./in-one-trip.ts";
import { oneOf } from "./mapping.ts";
import { quoteHex, quoteText, readTime } from "./sql-text.ts";

/** Names a lease by its account and its 32 hex digits. */
export type LeaseName = { readonly accountId: string; readonly id: string };

/** Leases by account and id. */
export type LeasesByAccount<L> = ReadonlyMap<string, ReadonlyMap<string, L>>;

/** Locks and reads leases, in the order of account and id. Those that do not exist are left out. */
export async function lockLeases(
  tx: Statements,
  names: readonly LeaseName[],
): Promise<LeasesByAccount<Lease>> {
  const found = new Map<string, Map<string, Lease>>();
  for (const chunk of chunksOf(names)) {
    const [rows] = await tx.query<LeaseRow[]>(
      `SELECT ${leaseColumns} FROM lease FORCE INDEX (PRIMARY) WHERE (account_id, id) IN (${chunk})
       ORDER BY account_id, id FOR UPDATE`,
      unformatted,
    );
    for (const row of rows) put(found, row, toLease(row));
  }
  return found;
}

/** The same, of what settlement needs: it reads a lease for every few calls charged. */
export async function lockCovers(
  tx: Statements,
  names: readonly LeaseName[],
): Promise<LeasesByAccount<LeaseCover>> {
  const found = new Map<string, Map<string, LeaseCover>>();
  for (const chunk of chunksOf(names)) {
    const [rows] = await tx.query<CoverRow[]>(
      `SELECT account_id, LOWER(HEX(id)) AS id, service, state,
         granted - settled - released - dead_lettered AS free,
         granted_units - settled_units - released_units AS free_units, CAST(period_start AS CHAR) AS period_start
       FROM lease FORCE INDEX (PRIMARY) WHERE (account_id, id) IN (${chunk})
       ORDER BY account_id, id FOR UPDATE`,
      unformatted,
    );
    for (const row of rows) put(found, row, toCover(row));
  }
  return found;
}

/** Reads leases without locking them. */
export async function readLeases(
  db: Statements,
  names: readonly LeaseName[],
): Promise<LeasesByAccount<Lease>> {
  const found = new Map<string, Map<string, Lease>>();
  for (const chunk of chunksOf(names)) {
    const [rows] = await db.query<LeaseRow[]>(
      `SELECT ${leaseColumns} FROM lease FORCE INDEX (PRIMARY) WHERE (account_id, id) IN (${chunk})`,
    );
    for (const row of rows) put(found, row, toLease(row));
  }
  return found;
}

function* chunksOf(names: readonly LeaseName[]): Generator<string> {
  const sorted = [...names].sort(
    (a, b) => compare(a.accountId, b.accountId) || compare(a.id, b.id),
  );
  for (const chunk of inChunks(sorted)) {
    yield chunk.map((name) => `(${quoteText(name.accountId)},${quoteHex(name.id)})`).join(",");
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function put<L>(
  found: Map<string, Map<string, L>>,
  row: { readonly account_id: string; readonly id: string },
  lease: L,
): void {
  const ofAccount = found.get(row.account_id);
  if (ofAccount === undefined) found.set(row.account_id, new Map([[row.id, lease]]));
  else ofAccount.set(row.id, lease);
}

const leaseColumns = `account_id, LOWER(HEX(id)) AS id, service, state, COALESCE(LOWER(HEX(gateway_id)), '') AS gateway_id,
  gateway_epoch, granted, settled, released, dead_lettered, free_unit, CAST(period_start AS CHAR) AS period_start,
  granted_units, settled_units, released_units, COALESCE(LOWER(HEX(last_ask)), '') AS last_ask, last_ask_added,
  last_ask_added_units, valid_for_ms, CAST(expire_time AS CHAR) AS expire_time, CAST(create_time AS CHAR) AS create_time`;

type CoverRow = RowDataPacket & {
  readonly account_id: string;
  readonly id: string;
  readonly service: string;
  readonly state: string;
  readonly free: bigint;
  readonly free_units: bigint;
  readonly period_start: string | null;
};

type LeaseRow = RowDataPacket & {
  readonly account_id: string;
  readonly id: string;
  readonly service: string;
  readonly state: string;
  readonly gateway_id: string;
  readonly gateway_epoch: bigint;
  readonly granted: bigint;
  readonly settled: bigint;
  readonly released: bigint;
  readonly dead_lettered: bigint;
  readonly free_unit: string | null;
  readonly period_start: string | null;
  readonly granted_units: bigint;
  readonly settled_units: bigint;
  readonly released_units: bigint;
  readonly last_ask: string;
  readonly last_ask_added: bigint;
  readonly last_ask_added_units: bigint;
  readonly valid_for_ms: bigint;
  readonly expire_time: string | null;
  readonly create_time: string;
};

const states = ["OPEN", "SUSPECT", "CLOSED", "RELEASED"] as const satisfies readonly LeaseState[];

function toCover(row: CoverRow): LeaseCover {
  return {
    service: row.service,
    state: oneOf(states, row.state),
    free: row.free,
    freeUnits: row.free_units,
    periodStartMs: row.period_start === null ? undefined : readTime(row.period_start),
  };
}

function toLease(row: LeaseRow): Lease {
  return {
    accountId: row.account_id,
    id: row.id,
    service: row.service,
    state: oneOf(states, row.state),
    gatewayId: row.gateway_id,
    gatewayEpoch: row.gateway_epoch,
    granted: row.granted,
    settled: row.settled,
    released: row.released,
    deadLettered: row.dead_lettered,
    free: toUnits(row),
    lastAsk: row.last_ask,
    lastAskAdded: row.last_ask_added,
    lastAskAddedUnits: row.last_ask_added_units,
    validForMs: Number(row.valid_for_ms),
    expireTimeMs: row.expire_time === null ? undefined : readTime(row.expire_time),
    createTimeMs: readTime(row.create_time),
  };
}

function toUnits(row: LeaseRow): LeaseUnits | undefined {
  if (row.free_unit === null || row.period_start === null) return undefined;
  return {
    unit: oneOf(freeUnits, row.free_unit),
    periodStartMs: readTime(row.period_start),
    granted: row.granted_units,
    settled: row.settled_units,
    released: row.released_units,
  };
}
