import { parseSnapshot } from "@farebox/pricing/snapshot";
import type { EntityManager } from "@mikro-orm/mysql";
import type { Transaction } from "../domain/transaction.ts";
import { findAccounts } from "../store/account-store.ts";
import { findSnapshots } from "../store/price-snapshot-store.ts";

/** A transaction with the currencies that its amounts are in. */
export type ListedTransaction = Transaction & {
  /** The account's. */
  readonly currencyCode: string;
  /** The price's, in which the provider states its own figure. */
  readonly priceCurrencyCode: string;
};

/** Adds the currencies that the amounts of transactions are in. */
export async function withCurrencies(
  em: EntityManager,
  rows: readonly Transaction[],
): Promise<readonly ListedTransaction[]> {
  const accounts = await findAccounts(
    em,
    rows.map((row) => row.accountId),
  );
  const priced = new Map<string, Uint8Array>();
  for (const { providerCostNanos, priceSnapshotId: id } of rows) {
    if (providerCostNanos !== undefined && id) priced.set(hexOf(id), id);
  }
  const currencies = new Map<string, string>();
  for (const [idHex, json] of await findSnapshots(em, [...priced.values()])) {
    currencies.set(idHex, parseSnapshot(json).currency);
  }
  return rows.map((row) => {
    const currencyCode = accounts.get(row.accountId)?.currencyCode ?? "";
    const price = row.priceSnapshotId && currencies.get(hexOf(row.priceSnapshotId));
    return { ...row, currencyCode, priceCurrencyCode: price ?? currencyCode };
  });
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
