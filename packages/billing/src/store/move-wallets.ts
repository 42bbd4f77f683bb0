import type { Wallet } from "../domain/balance-moves.ts";
import type { Statements } from "./in-one-trip.ts";
import { type UpdateRow, updateRows } from "./update-rows.ts";

/** An account's wallet before and after; its row is locked. */
export type WalletChange = {
  readonly accountId: string;
  readonly before: Wallet;
  readonly after: Wallet;
};

/** Writes what changed of wallets, as differences. Wallets that did not change are left alone. */
export async function moveWallets(tx: Statements, changes: readonly WalletChange[]): Promise<void> {
  const rows: UpdateRow[] = [];
  for (const { accountId, before, after } of changes) {
    if (before !== after) rows.push({ keys: [accountId], adds: differences(before, after) });
  }
  await updateRows(tx, shape, rows);
}

const shape = {
  table: "balance",
  keys: [{ name: "account_id", kind: "text" }],
  adds: ["available", "held", "spent", "credited", "receivable", "open_leases", "open_grants"],
} as const;

function differences(before: Wallet, after: Wallet): bigint[] {
  return [
    after.available - before.available,
    after.held - before.held,
    after.spent - before.spent,
    after.credited - before.credited,
    after.receivable - before.receivable,
    BigInt(after.openLeases - before.openLeases),
    BigInt(after.openGrants - before.openGrants),
  ];
}
