import type { RowDataPacket } from "mysql2/promise";
import { inChunks } from "./in-chunks.ts";
import { type Statements, unformatted } from "./in-one-trip.ts";
import { quoteHex, quoteText } from "./sql-text.ts";

/** Names an item: its account, and its id in hex. */
export type ItemName = { readonly accountId: string; readonly id: string };

/** Ids by account. */
export type IdsByAccount = ReadonlyMap<string, ReadonlySet<string>>;

/** Which of the items are transactions already, of a kept day or a dropped one. The wallets are locked. */
export async function readSettledIds(
  tx: Statements,
  items: readonly ItemName[],
): Promise<IdsByAccount> {
  const found = new Map<string, Set<string>>();
  for (const chunk of inChunks(items)) {
    const keys = chunk
      .map((item) => `(${quoteText(item.accountId)},${quoteHex(item.id)})`)
      .join(",");
    const ids = chunk.map((item) => item.id).sort();
    // The range of ids spares the partitions of all other days.
    const range = `id BETWEEN ${quoteHex(ids[0] ?? "")} AND ${quoteHex(ids.at(-1) ?? "")}`;
    const [rows] = await tx.query<ItemRow[]>(
      `SELECT account_id, LOWER(HEX(id)) AS id FROM usage_transaction FORCE INDEX (PRIMARY) WHERE ${range} AND (account_id, id) IN (${keys})
       UNION ALL SELECT account_id, LOWER(HEX(id)) FROM usage_late FORCE INDEX (PRIMARY) WHERE ${range} AND (account_id, id) IN (${keys})`,
    );
    collect(found, rows);
  }
  return found;
}

/** Whether there is any dead letter at all: usually not, and then nobody's need be looked for. */
export async function hasDeadLetters(tx: Statements): Promise<boolean> {
  const sql = "SELECT 1 FROM settlement_dead_letter LIMIT 1";
  const [any] = await tx.query<RowDataPacket[]>(sql, unformatted);
  return any.length > 0;
}

/**
 * Which of the items are dead letters, open or not, by key in hex: an item that was put aside is settled by its replay
 * and never by a second delivery.
 */
export async function readDeadKeys(
  tx: Statements,
  accounts: readonly KeysOfAccount[],
): Promise<IdsByAccount> {
  const found = new Map<string, Set<string>>();
  const concerned = new Set<string>();
  for (const chunk of inChunks(accounts)) {
    const [rows] = await tx.query<ItemRow[]>(
      `SELECT DISTINCT account_id, '' AS id FROM settlement_dead_letter
       WHERE account_id IN (${chunk.map(({ accountId }) => quoteText(accountId)).join(",")})`,
    );
    for (const row of rows) concerned.add(row.account_id);
  }
  const names = accounts
    .filter(({ accountId }) => concerned.has(accountId))
    .flatMap(({ accountId, items }) => items.map(({ key }) => ({ accountId, id: key })));
  for (const chunk of inChunks(names)) {
    const keys = chunk.map((item) => `(${quoteText(item.accountId)},${quoteHex(item.id)})`);
    const [letters] = await tx.query<ItemRow[]>(
      `SELECT account_id, LOWER(HEX(item_id)) AS id FROM settlement_dead_letter FORCE INDEX (settlement_dead_letter_item)
       WHERE (account_id, item_id) IN (${keys.join(",")})`,
    );
    collect(found, letters);
  }
  return found;
}

/** An account and the keys of its items. */
export type KeysOfAccount = {
  readonly accountId: string;
  readonly items: readonly { readonly key: string }[];
};

type ItemRow = RowDataPacket & { readonly account_id: string; readonly id: string };

function collect(found: Map<string, Set<string>>, rows: readonly ItemRow[]): void {
  for (const row of rows) {
    const ofAccount = found.get(row.account_id);
    if (ofAccount === undefined) found.set(row.account_id, new Set([row.id]));
    else ofAccount.add(row.id);
  }
}
