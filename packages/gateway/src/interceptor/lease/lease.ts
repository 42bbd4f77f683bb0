import type { Epoch } from "../settlement/gateway-epoch.ts";

/**
 * A lease as the gateway that holds it counts. Amounts are bigint: an account's money may be beyond 2^53 nanos (nine million
 * dollars), costs and worst cases arrive as bigint, and the six operations a call needs take a quarter of a microsecond.
 */
export type Lease = {
  /** 16 bytes. */
  readonly id: Buffer;
  /** "lse_" and 32 hexadecimal digits. */
  readonly name: string;
  readonly epoch: Epoch;
  readonly accountId: string;
  readonly service: string;
  /** All that Billing granted on it. */
  granted: bigint;
  /** What calls that ended have cost. */
  counted: bigint;
  /** granted − counted − what calls in flight have reserved; below zero after usage above its bound. */
  free: bigint;
  /** What free units count; "none" when the service has no free quota. */
  freeUnit: "none" | "requests" | "tokens";
  grantedUnits: number;
  /** Free units that are neither burned nor reserved. */
  freeUnits: number;
  callsInFlight: number;
  /** Where the last outcome that was charged to it ends in the journal. */
  lastOutcome: number;
  /** More is asked for when less than this is free. */
  refillBelow: bigint;
  /** Open leases of the account, this one included. */
  holders: number;
  /** Closing was refused this often because Billing had settled less than was counted. */
  closeTries: number;
};

/** One call's share of a lease, in memory. Both amounts may grow while it runs. */
export type Reservation = {
  /** Undefined for a call that needs no money, or that is served on grace. */
  readonly lease: Lease | undefined;
  nanos: bigint;
  /** Free units; above zero means that the call is free. */
  units: number;
  /** Whether less than the worst case was to be had, so that the caller must lower the output bound. */
  readonly isClamped: boolean;
  /** Whether Billing was not reachable and the installation serves all the same. */
  readonly isGrace: boolean;
};

/** What a call needs of a lease. */
export type CallNeed = {
  readonly worstCaseNanos: bigint;
  readonly minimumNanos: bigint;
  readonly worstCaseUnits: number;
};

/** Reserves the whole worst case: free units first, then money. Undefined when the lease does not cover it. */
export function reserveWhole(lease: Lease, need: CallNeed): Reservation | undefined {
  if (lease.freeUnits > 0) {
    const units = lease.freeUnit === "requests" ? 1 : Math.max(1, need.worstCaseUnits);
    if (units <= lease.freeUnits) {
      lease.freeUnits -= units;
      return taken(lease, 0n, units, false);
    }
  }
  if (lease.free < need.worstCaseNanos) return undefined;
  lease.free -= need.worstCaseNanos;
  return taken(lease, need.worstCaseNanos, 0, false);
}

/** Reserves all that is free, if that is of any use to the call. For when there is no more to be had. */
export function reserveRest(lease: Lease, need: CallNeed): Reservation | undefined {
  if (lease.free <= 0n || lease.free < need.minimumNanos) return undefined;
  const nanos = lease.free;
  lease.free = 0n;
  return taken(lease, nanos, 0, true);
}

/** Reserves more for a call in flight; false when the lease does not have it. */
export function growReservation(reservation: Reservation, nanos: bigint): boolean {
  const { lease } = reservation;
  // Units above a free call's reservation come out of the period, not out of money.
  if (reservation.units > 0) return true;
  if (lease === undefined || lease.free < nanos) return false;
  lease.free -= nanos;
  reservation.nanos += nanos;
  return true;
}

/** What an ended call used of its reservation. */
export type UsedReservation = {
  readonly nanos: bigint;
  readonly units: number;
  /** False for a usage that is quarantined: its money stays held, but is never settled. */
  readonly isCounted: boolean;
  /** Where the outcome ends in the journal; 0 when the call never began. */
  readonly outcomeEnd: number;
};

/** Ends a reservation: what was used is counted, the rest is free again. */
export function endReservation({ lease, nanos, units }: Reservation, used: UsedReservation): void {
  if (lease === undefined) return;
  if (used.isCounted) lease.counted += used.nanos;
  lease.free += nanos - used.nanos;
  lease.freeUnits += units - used.units;
  lease.callsInFlight--;
  lease.epoch.callsInFlight--;
  if (used.outcomeEnd === 0) return;
  lease.lastOutcome = used.outcomeEnd;
  lease.epoch.lastOutcome = used.outcomeEnd;
}

function taken(lease: Lease, nanos: bigint, units: number, isClamped: boolean): Reservation {
  lease.callsInFlight++;
  lease.epoch.callsInFlight++;
  return { lease, nanos, units, isClamped, isGrace: false };
}
