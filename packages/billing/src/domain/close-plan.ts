import type { Nanos } from "@farebox/kit/money";
import { release, type Wallet } from "./balance-moves.ts";
import type { OpenGrant } from "./burn-grants.ts";
import { type Expiry, expireDue } from "./expire-due.ts";
import { returnUnits, type UnitPeriod } from "./free-units.ts";
import { freePartOf, freeUnitsOf, isLive, type Lease } from "./lease.ts";
import { periodKey } from "./settle-plan.ts";

/** All that is locked and known of one account when leases of it end. */
export type CloseWorld = {
  readonly accountId: string;
  readonly wallet: Wallet;
  /** Those to end. */
  readonly leases: readonly Lease[];
  /** The periods that their free units came from, by `periodKey`. */
  readonly periods: ReadonlyMap<string, UnitPeriod>;
  readonly grants: readonly OpenGrant[];
  readonly nowMs: number;
};

/** What ending leases changes. */
export type ClosePlan = {
  readonly accountId: string;
  readonly before: Wallet;
  readonly after: Wallet;
  readonly closed: readonly { readonly before: Lease; readonly after: Lease }[];
  readonly periods: readonly { readonly before: UnitPeriod; readonly after: UnitPeriod }[];
  readonly expiry: Expiry;
};

/**
 * Ends leases: what they neither settled nor keep for dead letters returns to the account and pays its debt first, free
 * units return to the period they came from, and what returned of expired grants expires with it. Leases that have ended
 * already stay as they are.
 */
export function planClose(world: CloseWorld, state: "CLOSED" | "RELEASED"): ClosePlan {
  let { wallet } = world;
  const closed: { before: Lease; after: Lease }[] = [];
  const periods = new Map(world.periods);
  for (const lease of world.leases) {
    if (!isLive(lease.state)) continue;
    const rest = freePartOf(lease);
    wallet = { ...release(wallet, rest).wallet, openLeases: wallet.openLeases - 1 };
    returnLeaseUnits(periods, lease);
    closed.push({ before: lease, after: endedLease(lease, rest, state) });
  }
  const expiry = expireDue(wallet, world.grants, world.nowMs);
  return {
    accountId: world.accountId,
    before: world.wallet,
    after: expiry.wallet,
    closed,
    periods: [...world.periods]
      .map(([key, before]) => ({ before, after: periods.get(key) ?? before }))
      .filter(({ before, after }) => before !== after),
    expiry,
  };
}

/**
 * Whether usage that the holder counted is still on its way. More than was granted cannot have come out of the lease, so
 * that a lease settled in full is never behind.
 */
export function isBehind(lease: Lease, finalTotal: Nanos | undefined): boolean {
  if (finalTotal === undefined || !isLive(lease.state)) return false;
  const expected = finalTotal < lease.granted ? finalTotal : lease.granted;
  // What a live lease has released is what an operator voided: counted by the holder, and never to be settled.
  return lease.settled + lease.deadLettered + lease.released < expected;
}

function returnLeaseUnits(periods: Map<string, UnitPeriod>, lease: Lease): void {
  const units = freeUnitsOf(lease);
  if (units === 0n || lease.free === undefined) return;
  const key = periodKey(lease.service, lease.free.periodStartMs);
  const period = periods.get(key);
  if (period === undefined) throw new Error(`lease ${lease.id} holds units of no period`);
  periods.set(key, returnUnits(period, units));
}

function endedLease(lease: Lease, rest: Nanos, state: "CLOSED" | "RELEASED"): Lease {
  const { free } = lease;
  return {
    ...lease,
    state,
    released: lease.released + rest,
    free: free && { ...free, released: free.released + freeUnitsOf(lease) },
  };
}
