import type { Pool } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";

/** The next accounts with a balance, by id; an empty page ends them. */
export async function readAccountPage(
  pool: Pool,
  after: string,
  limit: number,
): Promise<readonly string[]> {
  const [rows] = await pool.query<AccountRow[]>(
    "SELECT account_id FROM balance WHERE account_id > ? ORDER BY account_id LIMIT ?",
    [after, limit],
  );
  return rows.map((row) => row.account_id);
}

/** Accounts whose money has moved since a time, as far as open leases, charges and edits show it; at most `limit`. */
export async function readMovedAccounts(
  pool: Pool,
  since: Date,
  limit: number,
): Promise<readonly string[]> {
  const [rows] = await pool.query<AccountRow[]>(
    `(SELECT DISTINCT account_id FROM usage_hourly FORCE INDEX (usage_hourly_hour) WHERE hour >= ? LIMIT ?)
     UNION (SELECT DISTINCT account_id FROM lease FORCE INDEX (lease_expiry)
       WHERE state IN ('OPEN', 'SUSPECT') LIMIT ?)
     UNION (SELECT id FROM account WHERE update_time >= ? LIMIT ?) LIMIT ?`,
    [since, limit, limit, since, limit, limit],
  );
  return rows.map((row) => row.account_id);
}

type AccountRow = RowDataPacket & { readonly account_id: string };
