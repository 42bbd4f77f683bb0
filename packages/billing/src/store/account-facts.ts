import type { Pool } from "@farebox/kit/mysql";
import type { RowDataPacket } from "mysql2/promise";
import { createBoundedMap } from "../domain/bounded-map.ts";
import type { AccountFacts } from "../domain/judge-item.ts";
import { inChunks } from "./in-chunks.ts";
import { quoteText } from "./sql-text.ts";

/** This process's copy of what never changes of accounts. */
export type AccountFactsCache = {
  /** Undefined for an account that is not loaded, or does not exist. */
  get(accountId: string): AccountFacts | undefined;
  /** Reads those that are not loaded yet. Accounts that do not exist are looked for anew each time. */
  load(accountIds: Iterable<string>): Promise<void>;
};

/** Makes an empty copy, bounded. */
export function createAccountFacts(pool: Pool, accountsMax = 100_000): AccountFactsCache {
  const known = createBoundedMap<AccountFacts>(accountsMax);
  return {
    get: known.get,
    load: async (accountIds) => {
      const missing = new Set<string>();
      for (const id of accountIds) if (known.get(id) === undefined) missing.add(id);
      for (const chunk of inChunks([...missing])) {
        const [rows] = await pool.query<FactsRow[]>(
          `SELECT id, tenant_id, currency_code FROM account WHERE id IN (${chunk.map(quoteText).join(",")})`,
        );
        for (const row of rows) {
          known.set(row.id, { tenantId: row.tenant_id, currencyCode: row.currency_code });
        }
      }
    },
  };
}

type FactsRow = RowDataPacket & {
  readonly id: string;
  readonly tenant_id: string;
  readonly currency_code: string;
};
