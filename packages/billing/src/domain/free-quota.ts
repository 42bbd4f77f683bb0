/** What every account gets of a service for nothing. */
export type FreeQuotaRule = {
  readonly service: string;
  readonly period: QuotaPeriod;
  readonly unit: FreeUnit;
  /** Units a period; 0 for none. */
  readonly amount: bigint;
};

/** How often a free quota starts anew, at midnight UTC; weeks on Mondays. */
export type QuotaPeriod = (typeof quotaPeriods)[number];

export const quotaPeriods = ["DAY", "WEEK", "MONTH", "TOTAL"] as const;

/** What a free quota counts: calls, or tokens of prompt and completion together. */
export type FreeUnit = (typeof freeUnits)[number];

export const freeUnits = ["REQUESTS", "TOKENS"] as const;

/** An account's free units of one service in one period: available + held + used = granted. */
export type FreeQuota = {
  readonly service: string;
  readonly unit: FreeUnit;
  readonly period: QuotaPeriod;
  readonly startMs: number;
  /** Undefined for a quota that never starts anew. */
  readonly endMs: number | undefined;
  readonly unitsGranted: bigint;
  readonly unitsAvailable: bigint;
  readonly unitsHeld: bigint;
  readonly unitsUsed: bigint;
};
