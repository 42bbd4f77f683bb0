import { newUuid } from "@farebox/kit/ids";
import type { Nanos } from "@farebox/kit/money";
import type { LedgerKind } from "../domain/ledger-entry.ts";
import type { Statements } from "./in-one-trip.ts";
import { insertRows } from "./insert-rows.ts";
import { quoteText, quoteTime } from "./sql-text.ts";

/** A change of an account's funds to record. The unique (account, kind, reference) makes it happen once. */
export type NewLedgerEntry = {
  readonly accountId: string;
  readonly kind: LedgerKind;
  readonly reference: string;
  readonly amount: Nanos;
  readonly balanceAfter: Nanos;
  readonly debit: LedgerAccount;
  readonly credit: LedgerAccount;
};

/** The sides an entry is booked on. */
export type LedgerAccount = "customer_funds" | "usage_revenue" | "promotions" | "cash";

/** Appends to the ledger. */
export async function insertLedger(
  tx: Statements,
  entries: readonly NewLedgerEntry[],
  nowMs: number,
): Promise<void> {
  const createTime = quoteTime(nowMs);
  await insertRows(tx, { table: "ledger_entry", columns: ledgerColumns(createTime) }, entries);
}

function ledgerColumns(createTime: string) {
  return [
    { name: "account_id", literal: (entry: NewLedgerEntry) => quoteText(entry.accountId) },
    { name: "id", literal: () => `x'${newUuid().toString("hex")}'` },
    { name: "kind", literal: (entry: NewLedgerEntry) => `'${entry.kind}'`, usual: "'USAGE'" },
    { name: "reference", literal: (entry: NewLedgerEntry) => quoteText(entry.reference) },
    { name: "amount", literal: (entry: NewLedgerEntry) => String(entry.amount) },
    { name: "balance_after", literal: (entry: NewLedgerEntry) => String(entry.balanceAfter) },
    {
      name: "debit",
      literal: (entry: NewLedgerEntry) => `'${entry.debit}'`,
      usual: "'customer_funds'",
    },
    {
      name: "credit",
      literal: (entry: NewLedgerEntry) => `'${entry.credit}'`,
      usual: "'usage_revenue'",
    },
    { name: "create_time", literal: () => createTime },
  ];
}
