import type { RowDataPacket } from "mysql2/promise";
import type { OpenGrant } from "../domain/burn-grants.ts";
import { inChunks } from "./in-chunks.ts";
import type { Statements } from "./in-one-trip.ts";
import { quoteText, quoteTime, readTime } from "./sql-text.ts";
import { updateRows } from "./update-rows.ts";

/** Locks and reads the grants of accounts that have something left, by account. The wallets are locked already. */
export async function lockOpenGrants(
  tx: Statements,
  accountIds: readonly string[],
): Promise<Map<string, OpenGrant[]>> {
  const found = new Map<string, OpenGrant[]>();
  for (const chunk of inChunks([...accountIds].sort())) {
    const [rows] = await tx.query<GrantRow[]>(
      `SELECT account_id, LOWER(HEX(id)) AS id, priority, remaining, expired, CAST(expire_time AS CHAR) AS expire_time
       FROM credit_grant FORCE INDEX (credit_grant_open)
       WHERE account_id IN (${chunk.map(quoteText).join(",")}) AND is_open = 1
       ORDER BY account_id, id FOR UPDATE`,
    );
    for (const row of rows) {
      const ofAccount = found.get(row.account_id);
      if (ofAccount === undefined) found.set(row.account_id, [toGrant(row)]);
      else ofAccount.push(toGrant(row));
    }
  }
  return found;
}

/** What to take from a grant: used by work, or expired. */
export type GrantChange = {
  readonly grant: OpenGrant;
  readonly used: bigint;
  readonly expired: bigint;
};

/** Writes what was taken from locked grants, as differences. */
export async function moveGrants(tx: Statements, changes: readonly GrantChange[]): Promise<void> {
  await updateRows(
    tx,
    grantShape,
    changes.map(({ grant, used, expired }) => ({
      keys: [grant.accountId, grant.id],
      adds: [-(used + expired), used, expired],
    })),
  );
}

const grantShape = {
  table: "credit_grant",
  keys: [
    { name: "account_id", kind: "text" },
    { name: "id", kind: "hex" },
  ],
  adds: ["remaining", "used", "expired"],
} as const;

type GrantRow = RowDataPacket & {
  readonly account_id: string;
  readonly id: string;
  readonly priority: number;
  readonly remaining: bigint;
  readonly expired: bigint;
  readonly expire_time: string | null;
};

function toGrant(row: GrantRow): OpenGrant {
  return {
    accountId: row.account_id,
    id: row.id,
    priority: row.priority,
    remaining: row.remaining,
    expired: row.expired,
    expireTimeMs: row.expire_time === null ? undefined : readTime(row.expire_time),
  };
}

/** Grants that expired longer ago hold money in no lease any more; what a void returns of them is taken then. */
const dueWithinMs = 400 * 86_400_000;

/** Accounts, in order after one, with something left of grants whose time is up. */
export async function readAccountsWithDueGrants(
  db: Statements,
  page: { readonly after: string; readonly nowMs: number; readonly limit: number },
): Promise<string[]> {
  const { after, nowMs, limit } = page;
  const [rows] = await db.query<GrantRow[]>(
    `SELECT DISTINCT account_id FROM credit_grant
     WHERE expire_time <= ${quoteTime(nowMs)} AND expire_time > ${quoteTime(nowMs - dueWithinMs)} AND remaining > 0
       AND account_id > ${quoteText(after)} ORDER BY account_id LIMIT ${limit}`,
  );
  return rows.map((row) => row.account_id);
}
