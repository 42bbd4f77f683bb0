import type { PoolConnection, RowDataPacket } from "mysql2/promise";
import type { CreditGrant, GrantKind } from "../domain/credit-grant.ts";
import { grantKinds } from "../domain/credit-grant.ts";
import { oneOf } from "./mapping.ts";
import { quoteHex, quoteText, quoteTime, quoteTimeOrNull, readTime } from "./sql-text.ts";

/** Writes a new grant; what of it paid debt is used from the start. */
export async function insertGrant(tx: PoolConnection, grant: CreditGrant): Promise<void> {
  const used = grant.amountNanos - grant.remainingNanos - grant.expiredNanos;
  await tx.query(
    `INSERT INTO credit_grant (account_id, id, kind, priority, amount, remaining, used, expired, expire_time, create_time)
     VALUES (${quoteText(grant.accountId)}, ${quoteHex(Buffer.from(grant.id).toString("hex"))}, ${quoteText(grant.kind)},
       ${grant.priority}, ${grant.amountNanos}, ${grant.remainingNanos}, ${used}, ${grant.expiredNanos},
       ${quoteTimeOrNull(grant.expireTimeMs)}, ${quoteTime(grant.createTimeMs)})`,
  );
}

/** Reads one grant. */
export async function readGrant(
  tx: PoolConnection,
  accountId: string,
  id: string,
): Promise<CreditGrant | undefined> {
  const [rows] = await tx.query<GrantRow[]>(
    `SELECT id, kind, priority, amount, remaining, expired, CAST(expire_time AS CHAR) AS expire_time,
       CAST(create_time AS CHAR) AS create_time
     FROM credit_grant WHERE account_id = ${quoteText(accountId)} AND id = ${quoteHex(id)}`,
  );
  const [row] = rows;
  return row && toGrant(accountId, row);
}

type GrantRow = RowDataPacket & {
  readonly id: Buffer;
  readonly kind: string;
  readonly priority: number;
  readonly amount: bigint;
  readonly remaining: bigint;
  readonly expired: bigint;
  readonly expire_time: string | null;
  readonly create_time: string;
};

function toGrant(accountId: string, row: GrantRow): CreditGrant {
  return {
    id: row.id,
    accountId,
    kind: oneOf<GrantKind>(grantKinds, row.kind),
    priority: row.priority,
    amountNanos: row.amount,
    remainingNanos: row.remaining,
    expiredNanos: row.expired,
    expireTimeMs: row.expire_time === null ? undefined : readTime(row.expire_time),
    createTimeMs: readTime(row.create_time),
  };
}
