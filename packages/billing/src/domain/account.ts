import type { Nanos } from "@farebox/kit/money";

/** Who owns one prepaid balance in one currency. */
export type Account = {
  readonly id: string;
  /** Empty for none. */
  readonly tenantId: string;
  readonly displayName: string;
  /** ISO 4217; never changes. */
  readonly currencyCode: string;
  /** How far new calls may take the account into debt. */
  readonly overdraftLimitNanos: Nanos;
  readonly disconnectPolicy: DisconnectPolicy;
  readonly createTimeMs: number;
};

/** What a client that leaves before the end of a stream pays for. */
export type DisconnectPolicy = (typeof disconnectPolicies)[number];

export const disconnectPolicies = ["PARTIAL", "INPUT_ONLY", "NOTHING"] as const;

/** An account's money: available + held + spent = credited + receivable. */
export type Balance = {
  readonly available: Nanos;
  readonly held: Nanos;
  readonly spent: Nanos;
  readonly credited: Nanos;
  readonly receivable: Nanos;
};

/** The money of an account that has never had any. */
export const emptyBalance: Balance = Object.freeze({
  available: 0n,
  held: 0n,
  spent: 0n,
  credited: 0n,
  receivable: 0n,
});
