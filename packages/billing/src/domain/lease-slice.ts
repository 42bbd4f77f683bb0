import { maxNanos, minNanos, type Nanos } from "@farebox/kit/money";
import { isInDebtAtLimit, spendableOf, type Wallet } from "./balance-moves.ts";
import type { Lease } from "./lease.ts";

/** What an ask for a lease, or for more on one, comes down to. */
export type Ask = {
  /** The most that the waiting work may cost. */
  readonly estimated: Nanos;
  /** The least that is of any use; undefined for all of `estimated`. */
  readonly minimum: Nanos | undefined;
  /** What the holder would like beyond that, for work to come. */
  readonly wantSlice: Nanos;
  /** The free units that the waiting work may take, in the quota's unit. */
  readonly unitsNeeded: bigint;
  readonly unitsWanted: bigint;
  /** Whether the holder serves many calls from the lease: it then takes money beside units. */
  readonly isSlice: boolean;
  /** The holder's epoch; 0 for none. */
  readonly epoch: bigint;
};

/** What an ask meets. */
export type AskWorld = {
  readonly wallet: Wallet;
  /** Units of the period that nobody holds; undefined where the service has no free quota. */
  readonly unitsAvailable: bigint | undefined;
  /** The same ask granted before, and whether it asked for the same. */
  readonly prior: { readonly isSame: boolean } | undefined;
  /** The lease to extend: "none" for a new one, undefined for one that does not exist. */
  readonly extended: Lease | "none" | undefined;
};

/** The answer to an ask. A replay moves nothing. */
export type AskDecision =
  | {
      readonly kind: "grant";
      readonly added: Nanos;
      readonly addedUnits: bigint;
      /** Nothing is left for a further ask. */
      readonly isFinal: boolean;
    }
  | { readonly kind: "replay" }
  | { readonly kind: "deny"; readonly reason: DenyReason }
  | { readonly kind: "refuse"; readonly reason: RefuseReason };

/** Why there is no money for it: an answer. */
export type DenyReason = "INSUFFICIENT_BALANCE" | "INSUFFICIENT_QUOTA" | "ACCOUNT_IN_DEBT";

/** What is wrong with the ask: an error. */
export type RefuseReason =
  | "REQUEST_ID_REUSED"
  | "LEASE_NOT_FOUND"
  | "LEASE_NOT_OPEN"
  | "EPOCH_STALE";

/**
 * Decides how much an ask gets. Free units come first: work that they cover whole takes no money, and is not denied for
 * want of it. Money is granted exactly as asked near zero, and in slices that halve what is available among its holders
 * above that, so that no holder hoards.
 */
export function decideAsk(ask: Ask, world: AskWorld): AskDecision {
  if (world.prior) return world.prior.isSame ? { kind: "replay" } : refuse("REQUEST_ID_REUSED");
  const fault = leaseFault(ask, world.extended);
  if (fault) return refuse(fault);

  const available = world.unitsAvailable ?? 0n;
  const isCovered = available >= ask.unitsNeeded;
  if (isCovered && !ask.isSlice) {
    const isFinal = spendableOf(world.wallet) === 0n && available === ask.unitsNeeded;
    return { kind: "grant", added: 0n, addedUnits: ask.unitsNeeded, isFinal };
  }
  const addedUnits = ask.isSlice ? smaller(available, ask.unitsNeeded + ask.unitsWanted) : 0n;
  const added = decideMoney(ask, world, isCovered);
  // Many calls wait behind one ask: units for some of them serve those, though the rest cannot be paid.
  const isUnpaid = typeof added === "string";
  if (isUnpaid && addedUnits === 0n) return { kind: "deny", reason: added };
  const money = isUnpaid ? 0n : added;
  return { kind: "grant", added: money, addedUnits, isFinal: spendableOf(world.wallet) === money };
}

/**
 * Why an account that has nothing more for an ask is denied it. An account of a service with a free quota that no money is
 * credited to lives on the quota; any other is short of money.
 */
export function reasonToDeny({
  wallet,
  unitsAvailable,
}: Pick<AskWorld, "wallet" | "unitsAvailable">): DenyReason {
  if (isInDebtAtLimit(wallet)) return "ACCOUNT_IN_DEBT";
  const livesOnQuota = unitsAvailable !== undefined && wallet.credited === 0n;
  return livesOnQuota ? "INSUFFICIENT_QUOTA" : "INSUFFICIENT_BALANCE";
}

function leaseFault(ask: Ask, extended: AskWorld["extended"]): RefuseReason | undefined {
  if (extended === "none") return undefined;
  if (extended === undefined) return "LEASE_NOT_FOUND";
  if (extended.gatewayEpoch !== ask.epoch) return "EPOCH_STALE";
  return extended.state === "OPEN" ? undefined : "LEASE_NOT_OPEN";
}

function decideMoney(ask: Ask, world: AskWorld, isCovered: boolean): Nanos | DenyReason {
  const { wallet } = world;
  const spendable = spendableOf(wallet);
  const minimum = isCovered ? 0n : minNanos(ask.minimum ?? ask.estimated, ask.estimated);
  if ((!isCovered && isInDebtAtLimit(wallet)) || spendable < minimum) return reasonToDeny(world);
  // Less than was estimated, yet of use; units that cover the work draw no debt for the rest.
  if (spendable < ask.estimated) return isCovered ? wallet.available : spendable;
  const holders = wallet.openLeases + (world.extended === "none" ? 1 : 0);
  const share = wallet.available / (2n * BigInt(Math.max(1, holders)));
  return maxNanos(ask.estimated, minNanos(ask.wantSlice + ask.estimated, share));
}

function refuse(reason: RefuseReason): AskDecision {
  return { kind: "refuse", reason };
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
