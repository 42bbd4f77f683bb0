import type { FreeQuotaRule, FreeUnit } from "./free-quota.ts";
import { periodAt } from "./quota-period.ts";

/** An account's free units of one service in one period: available + held + used = granted. */
export type UnitPeriod = {
  readonly accountId: string;
  readonly service: string;
  readonly startMs: number;
  /** Undefined for a quota that never starts anew. */
  readonly endMs: number | undefined;
  readonly unit: FreeUnit;
  readonly granted: bigint;
  readonly available: bigint;
  readonly held: bigint;
  readonly used: bigint;
  /** Used beyond what there was: delivered, and neither paid nor free. */
  readonly writtenOff: bigint;
};

/** A period nobody has used yet. */
export function freshPeriod(accountId: string, rule: FreeQuotaRule, nowMs: number): UnitPeriod {
  const { startMs, endMs } = periodAt(rule.period, nowMs);
  return {
    accountId,
    service: rule.service,
    startMs,
    endMs,
    unit: rule.unit,
    granted: rule.amount,
    available: rule.amount,
    held: 0n,
    used: 0n,
    writtenOff: 0n,
  };
}

/** Moves units into a lease. */
export function holdUnits(period: UnitPeriod, units: bigint): UnitPeriod {
  return { ...period, available: period.available - units, held: period.held + units };
}

/** Returns units that a lease did not use to the period they came from. */
export function returnUnits(period: UnitPeriod, units: bigint): UnitPeriod {
  return { ...period, available: period.available + units, held: period.held - units };
}

/** Burns units: `fromHeld` out of a lease, `excess` out of what is available; what is not there is written off. */
export function burnUnits(period: UnitPeriod, fromHeld: bigint, excess: bigint): UnitPeriod {
  const drawn = excess < period.available ? excess : period.available;
  return {
    ...period,
    available: period.available - drawn,
    held: period.held - fromHeld,
    used: period.used + fromHeld + drawn,
    writtenOff: period.writtenOff + excess - drawn,
  };
}
