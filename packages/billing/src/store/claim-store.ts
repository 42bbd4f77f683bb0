import type { PoolConnection, RowDataPacket } from "mysql2/promise";
import type { RequestClaim, StoredClaim } from "../domain/request-claim.ts";
import { inChunks } from "./in-chunks.ts";
import { insertRows } from "./insert-rows.ts";
import { oneOf } from "./mapping.ts";
import { quoteHex, quoteText, quoteTime, timeText } from "./sql-text.ts";
import { updateRows } from "./update-rows.ts";

/** Who claims, and when. */
export type Claimant = {
  /** 32 hex digits. */
  readonly gatewayId: string;
  readonly gatewayEpoch: bigint;
  readonly nowMs: number;
};

/** Adds claims of ids that nobody has claimed; ids that are there stay as they are. Sorted, so that two batches queue. */
export async function addClaims(
  tx: PoolConnection,
  claims: readonly RequestClaim[],
  by: Claimant,
): Promise<void> {
  const createTime = quoteTime(by.nowMs);
  const columns = [
    { name: "account_id", literal: (claim: RequestClaim) => quoteText(claim.accountId) },
    { name: "request_id", literal: (claim: RequestClaim) => quoteText(claim.requestId) },
    { name: "sha256", literal: (claim: RequestClaim) => quoteHex(claim.sha256) },
    { name: "state", literal: () => "'IN_FLIGHT'" },
    { name: "attempt_id", literal: (claim: RequestClaim) => quoteHex(claim.attemptId) },
    { name: "gateway_id", literal: () => quoteHex(by.gatewayId) },
    { name: "gateway_epoch", literal: () => String(by.gatewayEpoch) },
    { name: "create_time", literal: () => createTime },
  ];
  const tail = () => "ON DUPLICATE KEY UPDATE account_id = account_id";
  await insertRows(tx, { table: "client_request", columns, tail }, inOrder(claims));
}

/** Locks and reads claims by `claimKey`. `lostBeforeMs`: gateways not seen since then have left their claims behind. */
export async function lockClaims(
  tx: PoolConnection,
  claims: readonly RequestClaim[],
  lostBeforeMs: number,
): Promise<Map<string, StoredClaim>> {
  const found = new Map<string, StoredClaim>();
  for (const chunk of inChunks(inOrder(claims))) {
    const keys = chunk.map(
      (claim) => `(${quoteText(claim.accountId)},${quoteText(claim.requestId)})`,
    );
    const [rows] = await tx.query<ClaimRow[]>(
      `SELECT c.account_id, c.request_id, LOWER(HEX(c.sha256)) AS sha256, c.state, LOWER(HEX(c.attempt_id)) AS attempt_id,
         COALESCE(LOWER(HEX(c.transaction_id)), '') AS transaction_id, c.cost, HEX(c.gateway_id) AS gateway_id, c.gateway_epoch
       FROM client_request AS c FORCE INDEX (PRIMARY) WHERE (c.account_id, c.request_id) IN (${keys.join(",")})
       ORDER BY c.account_id, c.request_id FOR UPDATE`,
    );
    const orphaned = await readOrphaned(tx, rows, lostBeforeMs);
    for (const row of rows) found.set(claimKey(toKey(row)), toClaim(row, orphaned));
  }
  return found;
}

/** Gives claims to new attempts, from which on they are kept as long as new ones. */
export async function takeOverClaims(
  tx: PoolConnection,
  claims: readonly RequestClaim[],
  by: Claimant,
): Promise<void> {
  await updateRows(
    tx,
    takeOverShape,
    inOrder(claims).map((claim) => ({
      keys: [claim.accountId, claim.requestId],
      adds: [],
      sets: ["IN_FLIGHT", claim.attemptId, by.gatewayId, by.gatewayEpoch, timeText(by.nowMs)],
    })),
  );
}

/** Forgets claims whose attempts were refused before they began; claims of other attempts are left alone. */
export async function dropClaims(
  tx: PoolConnection,
  claims: readonly RequestClaim[],
): Promise<void> {
  for (const chunk of inChunks(inOrder(claims))) {
    const keys = chunk.map(
      (claim) => `(${quoteText(claim.accountId)},${quoteText(claim.requestId)})`,
    );
    const attempts = chunk.map((claim) => quoteHex(claim.attemptId));
    await tx.query(
      `DELETE c FROM client_request AS c FORCE INDEX (PRIMARY) WHERE (c.account_id, c.request_id) IN (${keys.join(",")})
       AND c.state = 'IN_FLIGHT' AND c.attempt_id IN (${attempts.join(",")})`,
    );
  }
}

/** Names a claim among those of a batch. */
export function claimKey(claim: {
  readonly accountId: string;
  readonly requestId: string;
}): string {
  return `${claim.accountId} ${claim.requestId}`;
}

const takeOverShape = {
  table: "client_request",
  keys: [
    { name: "account_id", kind: "text" },
    { name: "request_id", kind: "text" },
  ],
  adds: [],
  sets: [
    { name: "state", kind: "text" },
    { name: "attempt_id", kind: "hex" },
    { name: "gateway_id", kind: "hex" },
    { name: "gateway_epoch", kind: "integer" },
    { name: "create_time", kind: "time" },
  ],
} as const;

/** Epochs that can end no claim any more, as "gateway/epoch". */
async function readOrphaned(
  tx: PoolConnection,
  rows: readonly ClaimRow[],
  lostBeforeMs: number,
): Promise<ReadonlySet<string>> {
  const inFlight = rows.filter((row) => row.state === "IN_FLIGHT");
  const gateways = [...new Set(inFlight.map((row) => row.gateway_id))].map(quoteHex);
  if (gateways.length === 0) return new Set();
  const [sessions] = await tx.query<SessionRow[]>(
    `SELECT HEX(gateway_id) AS gateway_id, drained_epoch, last_seen_time < ${quoteTime(lostBeforeMs)} AS is_lost
     FROM gateway_session WHERE gateway_id IN (${gateways.join(",")})`,
  );
  const byGateway = new Map(sessions.map((session) => [session.gateway_id, session]));
  const orphaned = new Set<string>();
  for (const { gateway_id, gateway_epoch } of inFlight) {
    const session = byGateway.get(gateway_id);
    const isDrained = session !== undefined && gateway_epoch <= session.drained_epoch;
    if (isDrained || Number(session?.is_lost) === 1) orphaned.add(`${gateway_id}/${gateway_epoch}`);
  }
  return orphaned;
}

type SessionRow = RowDataPacket & {
  readonly gateway_id: string;
  readonly drained_epoch: bigint;
  readonly is_lost: number | bigint;
};

type ClaimRow = RowDataPacket & {
  readonly account_id: string;
  readonly request_id: string;
  readonly sha256: string;
  readonly state: string;
  readonly attempt_id: string;
  readonly transaction_id: string;
  readonly cost: bigint;
  readonly gateway_id: string;
  readonly gateway_epoch: bigint;
};

function toKey(row: ClaimRow) {
  return { accountId: row.account_id, requestId: row.request_id };
}

function toClaim(row: ClaimRow, orphaned: ReadonlySet<string>): StoredClaim {
  return {
    ...toKey(row),
    sha256: row.sha256,
    attemptId: row.attempt_id,
    state: oneOf(["IN_FLIGHT", "CHARGED", "VOID"], row.state),
    transactionId: row.transaction_id,
    cost: row.cost,
    isOrphan: orphaned.has(`${row.gateway_id}/${row.gateway_epoch}`),
  };
}

function inOrder(claims: readonly RequestClaim[]): RequestClaim[] {
  return [...claims].sort(
    (a, b) => compare(a.accountId, b.accountId) || compare(a.requestId, b.requestId),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
