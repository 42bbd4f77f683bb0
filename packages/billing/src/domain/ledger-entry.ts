import type { Nanos } from "@farebox/kit/money";

/** One change of an account's funds. Never changed; an account's entries sum to its funds. */
export type LedgerEntry = {
  readonly id: Uint8Array;
  readonly accountId: string;
  readonly kind: LedgerKind;
  /** What it belongs to; unique in its kind and account. */
  readonly reference: string;
  /** Signed. */
  readonly amountNanos: Nanos;
  readonly balanceAfterNanos: Nanos;
  readonly debit: string;
  readonly credit: string;
  readonly createTimeMs: number;
};

export type LedgerKind = (typeof ledgerKinds)[number];

export const ledgerKinds = [
  "USAGE",
  "GRANT",
  "GRANT_EXPIRED",
  "RECHARGE",
  "RECHARGE_REVERSED",
  "RECHARGE_REINSTATED",
] as const;
