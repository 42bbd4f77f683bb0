import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import type { Queryable } from "./queryable.ts";

/** Names a client's request id that is claimed. */
export type ClaimKey = { readonly accountId: string; readonly requestId: string };

/** Claims in flight of epochs of a gateway that settle nothing more, at most `limit`. */
export async function readClaimsOfEpochs(
  db: Queryable,
  gatewayId: Buffer,
  upToEpoch: bigint,
  limit: number,
): Promise<ClaimKey[]> {
  const [rows] = await db.query<ClaimRow[]>(
    `SELECT account_id, request_id FROM client_request FORCE INDEX (client_request_gateway)
     WHERE gateway_id = ? AND state = 'IN_FLIGHT' AND gateway_epoch <= ? LIMIT ?`,
    [gatewayId, upToEpoch, limit],
  );
  return rows.map((row) => ({ accountId: row.account_id, requestId: row.request_id }));
}

/**
 * Gives up claims whose attempts died without an outcome, so that the client's repeat runs as a new attempt. A claim
 * that another epoch has taken meanwhile is left alone. Returns how many were given up.
 */
export async function voidClaims(
  db: Queryable,
  gatewayId: Buffer,
  upToEpoch: bigint,
  claims: readonly ClaimKey[],
): Promise<number> {
  const [result] = await db.query<ResultSetHeader>(
    `UPDATE client_request FORCE INDEX (PRIMARY) SET state = 'VOID' WHERE state = 'IN_FLIGHT' AND gateway_id = ? AND gateway_epoch <= ?
     AND (account_id, request_id) IN (?)`,
    [gatewayId, upToEpoch, claims.map((claim) => [claim.accountId, claim.requestId])],
  );
  return result.affectedRows;
}

type ClaimRow = RowDataPacket & { readonly account_id: string; readonly request_id: string };
