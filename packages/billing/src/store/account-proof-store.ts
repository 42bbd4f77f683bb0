import type { Pool } from "@farebox/kit/mysql";
import { inChunks } from "./in-chunks.ts";
import { quoteText, quoteTime } from "./sql-text.ts";

/** Records that everything about these accounts was found to add up by a look that was taken then. */
export async function recordProofs(
  pool: Pool,
  accountIds: readonly string[],
  provedTime: Date,
): Promise<void> {
  const time = quoteTime(provedTime.getTime());
  for (const chunk of inChunks([...accountIds].sort())) {
    const rows = chunk.map((accountId) => `(${quoteText(accountId)},${time})`);
    await pool.query(
      `INSERT INTO account_proof (account_id, proved_time) VALUES ${rows.join(",")}
       ON DUPLICATE KEY UPDATE proved_time = GREATEST(proved_time, VALUES(proved_time))`,
    );
  }
}
