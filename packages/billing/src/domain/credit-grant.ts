import type { Nanos } from "@farebox/kit/money";

/** Credit that was given, with an order of use and an end: remaining + used + expired = amount. */
export type CreditGrant = {
  readonly id: Uint8Array;
  readonly accountId: string;
  readonly kind: GrantKind;
  /** Higher is used first. */
  readonly priority: number;
  readonly amountNanos: Nanos;
  readonly remainingNanos: Nanos;
  readonly expiredNanos: Nanos;
  readonly expireTimeMs: number | undefined;
  readonly createTimeMs: number;
};

/** Why credit was given. */
export type GrantKind = (typeof grantKinds)[number];

export const grantKinds = ["PROMOTIONAL", "SUBSCRIPTION", "REFUND", "PREPAID"] as const;
