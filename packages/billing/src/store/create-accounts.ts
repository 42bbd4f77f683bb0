import type { Pool } from "@farebox/kit/mysql";
import { quoteText, quoteTime } from "./sql-text.ts";

/**
 * Makes accounts of which nothing is known but their ids, for installations that let services name new ones. Any number
 * of first calls at once make one each; accounts that are there stay as they are.
 */
export async function createAccounts(
  pool: Pool,
  accounts: {
    readonly accountIds: readonly string[];
    readonly currencyCode: string;
    readonly nowMs: number;
  },
): Promise<void> {
  const now = quoteTime(accounts.nowMs);
  const currency = quoteText(accounts.currencyCode);
  const rows = [...accounts.accountIds]
    .sort()
    .map((id) => `(${quoteText(id)}, '', ${quoteText(id)}, ${currency}, ${now}, ${now})`);
  await pool.query(
    `INSERT INTO account (id, tenant_id, display_name, currency_code, create_time, update_time)
     VALUES ${rows.join(",")} ON DUPLICATE KEY UPDATE id = id`,
  );
}
