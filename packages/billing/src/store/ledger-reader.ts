import type { EntityManager } from "@mikro-orm/mysql";
import type { LedgerEntry, LedgerKind } from "../domain/ledger-entry.ts";
import { toLedgerEntry } from "./mapping.ts";
import { LedgerEntryRow } from "./tables.ts";

/** A page of an account's ledger, newest first, after an id; times are those of posting, the end exclusive. */
export async function listLedgerRows(
  em: EntityManager,
  filter: {
    readonly accountId: string;
    readonly kind: LedgerKind | undefined;
    readonly startMs: number | undefined;
    readonly endMs: number | undefined;
  },
  page: { readonly after: Uint8Array | undefined; readonly limit: number },
): Promise<readonly LedgerEntry[]> {
  const { accountId, kind, startMs, endMs } = filter;
  const rows = await em.find(
    LedgerEntryRow,
    {
      accountId,
      ...(kind !== undefined && { kind }),
      ...(page.after && { id: { $lt: Buffer.from(page.after) } }),
      ...((startMs !== undefined || endMs !== undefined) && {
        createTime: {
          ...(startMs !== undefined && { $gte: new Date(startMs) }),
          ...(endMs !== undefined && { $lt: new Date(endMs) }),
        },
      }),
    },
    { orderBy: { id: "desc" }, limit: page.limit },
  );
  return rows.map(toLedgerEntry);
}
