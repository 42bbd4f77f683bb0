import type { Nanos } from "@farebox/kit/money";
import type { FreeUnit } from "./free-quota.ts";

/** Where a lease is in its life: OPEN and SUSPECT ones hold money, the others hold none. */
export type LeaseState = "OPEN" | "SUSPECT" | "CLOSED" | "RELEASED";

/** Money and free units moved from an account to one holder for a while. Ids are 32 lower-case hex digits. */
export type Lease = {
  readonly accountId: string;
  readonly id: string;
  readonly service: string;
  readonly state: LeaseState;
  /** The gateway that holds it; empty for any other holder. */
  readonly gatewayId: string;
  readonly gatewayEpoch: bigint;
  readonly granted: Nanos;
  readonly settled: Nanos;
  readonly released: Nanos;
  /** Held under dead letters until they are replayed or voided. */
  readonly deadLettered: Nanos;
  readonly free: LeaseUnits | undefined;
  /** The last ask that was granted on it, and what it added: an ask repeated is answered the same. */
  readonly lastAsk: string;
  readonly lastAskAdded: Nanos;
  readonly lastAskAddedUnits: bigint;
  readonly validForMs: number;
  /** When it ends without renewal; undefined for a gateway's, which lives as long as its session. */
  readonly expireTimeMs: number | undefined;
  readonly createTimeMs: number;
};

/** A lease's share of one period's free units. */
export type LeaseUnits = {
  readonly unit: FreeUnit;
  readonly periodStartMs: number;
  readonly granted: bigint;
  readonly settled: bigint;
  readonly released: bigint;
};

/** What settlement needs to know of a lease. `free` and `freeUnits` are what it still holds while it is live. */
export type LeaseCover = {
  readonly service: string;
  readonly state: LeaseState;
  readonly free: Nanos;
  readonly freeUnits: bigint;
  /** The period that its free units come from; undefined when it never had any. */
  readonly periodStartMs: number | undefined;
};

/** Whether the lease still covers usage. */
export function isLive(state: LeaseState): boolean {
  return state === "OPEN" || state === "SUSPECT";
}

/** What of the lease's money is neither settled, nor returned, nor kept for a dead letter. */
export function freePartOf(lease: Lease): Nanos {
  return lease.granted - lease.settled - lease.released - lease.deadLettered;
}

/** Units that the lease holds. */
export function freeUnitsOf(lease: Lease): bigint {
  return lease.free === undefined
    ? 0n
    : lease.free.granted - lease.free.settled - lease.free.released;
}

/** The part of a grant below which its holder should ask for more, in percent. */
export const refillPercent = 30n;

/**
 * Below what rest the holder should ask for more: a part of what it holds now. A part of all that was ever granted would
 * make a lease that lives long, and is extended often, hoard.
 */
export function refillBelow(lease: Lease): Nanos {
  return (freePartOf(lease) * refillPercent) / 100n;
}
