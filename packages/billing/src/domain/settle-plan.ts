import { minNanos, type Nanos } from "@farebox/kit/money";
import { fundsOf, hasRoomFor, settle, type Wallet } from "./balance-moves.ts";
import { burnGrants, type GrantBurn, type OpenGrant } from "./burn-grants.ts";
import { burnUnits, type UnitPeriod } from "./free-units.ts";
import type { AccountFacts, ItemFault } from "./judge-item.ts";
import { isLive, type LeaseCover } from "./lease.ts";
import type { DecodedItem } from "./usage-item.ts";
import { addToRollups, openRollups, type Rollup, type Rollups } from "./usage-rollup.ts";

/** What became of one item. */
export type SettleStatus = "APPLIED" | "DUPLICATE" | "LATE" | "DEAD_LETTERED" | "REJECTED";

/** An item, and the fault that it was judged to have. `key` names it among dead letters: its id where that is sound. */
export type JudgedItem = {
  readonly item: DecodedItem;
  readonly fault: ItemFault | undefined;
  readonly key: string;
};

/** All that is locked and known of one account when its items are settled. */
export type SettleWorld = {
  readonly accountId: string;
  readonly facts: AccountFacts;
  readonly wallet: Wallet;
  /** The leases that the items name, by id; those that do not exist are left out. */
  readonly leases: ReadonlyMap<string, LeaseCover>;
  /** Free-unit periods of those leases, by `periodKey`. */
  readonly periods: ReadonlyMap<string, UnitPeriod>;
  readonly grants: readonly OpenGrant[];
  /** Ids among the items that were settled before. */
  readonly settledIds: ReadonlySet<string>;
  /** Keys among the items that were dead-lettered before. */
  readonly deadKeys: ReadonlySet<string>;
};

/** All that settling an account's items changes; every sum is over the rows listed here and over nothing else. */
export type SettlePlan = {
  readonly accountId: string;
  /** One per item, in their order. */
  readonly statuses: readonly SettleStatus[];
  readonly before: Wallet;
  readonly after: Wallet;
  readonly rows: readonly SettledRow[];
  readonly leaseDeltas: readonly LeaseDelta[];
  readonly periods: readonly PeriodChange[];
  readonly burns: readonly GrantBurn[];
  readonly ledger: readonly UsageEntry[];
  readonly rollups: readonly Rollup[];
  readonly deadLetters: readonly DeadLetterRow[];
  /** Items with faults that were refused instead of put aside: they leave no trace. */
  readonly rejected: readonly DeadLetterRow[];
  readonly claims: readonly DecodedItem[];
};

/** A transaction to write. */
export type SettledRow = {
  readonly item: DecodedItem;
  readonly tenantId: string;
  /** The part of the cost that the lease paid. */
  readonly fromLease: Nanos;
  readonly isLate: boolean;
};

/** What settling adds to a lease's counters. */
export type LeaseDelta = {
  readonly accountId: string;
  readonly id: string;
  readonly settled: Nanos;
  readonly deadLettered: Nanos;
  readonly settledUnits: bigint;
};

/** A period before and after. */
export type PeriodChange = { readonly before: UnitPeriod; readonly after: UnitPeriod };

/** What usage of one lease, or of none, took from the funds. */
export type UsageEntry = {
  readonly accountId: string;
  readonly reference: string;
  readonly amount: Nanos;
  readonly balanceAfter: Nanos;
};

/** An item put aside, with what stays held for it. */
export type DeadLetterRow = JudgedItem & { readonly fault: ItemFault; readonly held: Nanos };

/** Names a period among those of its account. */
export function periodKey(service: string, startMs: number): string {
  return `${service}/${startMs}`;
}

/**
 * Decides what settling an account's items changes. Each is charged once: out of its lease while that is live, then out
 * of what is available, then as debt. Delivered work is never refused for want of money. Splitting the items over several
 * batches, in any way, comes to the same totals. Items with a fault are put aside, or refused where the caller hears it.
 */
export function planSettlement(
  world: SettleWorld,
  items: readonly JudgedItem[],
  faulty: "put-aside" | "reject" = "put-aside",
): SettlePlan {
  const work = openWork(world, faulty === "reject");
  const statuses = items.map((judged) => settleItem(work, judged));
  const cost = work.fromHeld + work.excess;
  const burns = cost === 0n || world.grants.length === 0 ? [] : burnGrants(world.grants, cost);
  const used = settle(world.wallet, work.fromHeld, work.excess).wallet;
  const exhausted = burns.filter((burn) => burn.amount === burn.grant.remaining).length;
  return {
    accountId: world.accountId,
    statuses,
    before: world.wallet,
    after: exhausted === 0 ? used : { ...used, openGrants: used.openGrants - exhausted },
    rows: work.rows,
    leaseDeltas: leaseDeltasOf(work),
    periods: [...work.periods.values()].filter((change) => change.after !== change.before),
    burns,
    ledger: ledgerOf(work),
    rollups: work.rollups.list,
    deadLetters: work.rejects ? [] : work.deadLetters,
    rejected: work.rejects ? work.deadLetters : [],
    claims: work.claims,
  };
}

/** The account while its items are gone through. */
type Work = {
  readonly world: SettleWorld;
  readonly rejects: boolean;
  readonly covers: Map<string, Cover>;
  readonly periods: Map<string, { before: UnitPeriod; after: UnitPeriod }>;
  readonly seen: Set<string>;
  readonly rows: SettledRow[];
  readonly rollups: Rollups;
  readonly deadLetters: DeadLetterRow[];
  readonly claims: DecodedItem[];
  fromHeld: Nanos;
  excess: Nanos;
};

/** What covers items: a lease, one that is gone or never was, or (under the empty id) none. */
type Cover = {
  readonly leaseId: string;
  readonly lease: LeaseCover | undefined;
  readonly isLive: boolean;
  free: Nanos;
  freeUnits: bigint;
  settled: Nanos;
  deadLettered: Nanos;
  settledUnits: bigint;
  cost: Nanos;
  smallestId: string;
};

function openWork(world: SettleWorld, rejects: boolean): Work {
  return {
    world,
    rejects,
    covers: new Map(),
    periods: new Map(),
    seen: new Set(),
    rows: [],
    rollups: openRollups(),
    deadLetters: [],
    claims: [],
    fromHeld: 0n,
    excess: 0n,
  };
}

function settleItem(work: Work, judged: JudgedItem): SettleStatus {
  const { item, key } = judged;
  const { world } = work;
  if (world.deadKeys.size > 0 && world.deadKeys.has(key)) return "DEAD_LETTERED";
  if (work.seen.has(key) || world.settledIds.has(key)) return "DUPLICATE";
  work.seen.add(key);
  const cover = coverOf(work, item.leaseId);
  if (judged.fault !== undefined) return putAside(work, cover, judged, judged.fault);

  const fromLease = minNanos(item.costNanos, cover.free);
  const excess = item.costNanos - fromLease;
  if (excess > 0n && !hasRoomFor(world.wallet, work.excess + excess)) {
    return putAside(work, cover, judged, { reason: "USAGE_ABSURD", field: "cost_nanos" });
  }
  if (item.freeUnits > 0 && !burnItemUnits(work, cover, BigInt(item.freeUnits))) {
    return putAside(work, cover, judged, { reason: "INVALID_ARGUMENT", field: "free_units" });
  }
  cover.free -= fromLease;
  cover.settled += fromLease;
  cover.cost += item.costNanos;
  work.fromHeld += fromLease;
  work.excess += excess;
  if (cover.smallestId === "" || item.id < cover.smallestId) cover.smallestId = item.id;
  const isLate = item.leaseId !== "" && !cover.isLive;
  work.rows.push({ item, tenantId: world.facts.tenantId, fromLease, isLate });
  addToRollups(work.rollups, item, world.facts.tenantId);
  if (item.claimed) work.claims.push(item);
  return isLate ? "LATE" : "APPLIED";
}

/** Keeps an item's money where it is: held by its lease, under a row of its own. */
function putAside(work: Work, cover: Cover, judged: JudgedItem, fault: ItemFault): SettleStatus {
  if (work.rejects) {
    work.deadLetters.push({ ...judged, fault, held: 0n });
    return "REJECTED";
  }
  const { costNanos } = judged.item;
  const held = minNanos(costNanos > 0n ? costNanos : 0n, cover.free);
  cover.free -= held;
  cover.deadLettered += held;
  work.deadLetters.push({ ...judged, fault, held });
  return "DEAD_LETTERED";
}

/** Burns units out of the lease's period. False when the lease has none to burn from: then the call was not free. */
function burnItemUnits(work: Work, cover: Cover, units: bigint): boolean {
  const { lease } = cover;
  if (lease?.periodStartMs === undefined) return false;
  const key = periodKey(lease.service, lease.periodStartMs);
  let change = work.periods.get(key);
  if (change === undefined) {
    const before = work.world.periods.get(key);
    if (before === undefined) return false;
    change = { before, after: before };
    work.periods.set(key, change);
  }
  const fromLease = units < cover.freeUnits ? units : cover.freeUnits;
  cover.freeUnits -= fromLease;
  cover.settledUnits += fromLease;
  change.after = burnUnits(change.after, fromLease, units - fromLease);
  return true;
}

function coverOf(work: Work, leaseId: string): Cover {
  const known = work.covers.get(leaseId);
  if (known !== undefined) return known;
  const lease = leaseId === "" ? undefined : work.world.leases.get(leaseId);
  const live = lease !== undefined && isLive(lease.state);
  const cover: Cover = {
    leaseId,
    lease,
    isLive: live,
    free: live ? lease.free : 0n,
    freeUnits: live ? lease.freeUnits : 0n,
    settled: 0n,
    deadLettered: 0n,
    settledUnits: 0n,
    cost: 0n,
    smallestId: "",
  };
  work.covers.set(leaseId, cover);
  return cover;
}

function leaseDeltasOf(work: Work): LeaseDelta[] {
  const { accountId } = work.world;
  const deltas: LeaseDelta[] = [];
  for (const { leaseId, settled, deadLettered, settledUnits } of work.covers.values()) {
    if (settled > 0n || deadLettered > 0n || settledUnits > 0n) {
      deltas.push({ accountId, id: leaseId, settled, deadLettered, settledUnits });
    }
  }
  return deltas;
}

function ledgerOf(work: Work): UsageEntry[] {
  const { accountId, wallet } = work.world;
  let balanceAfter = fundsOf(wallet);
  const entries: UsageEntry[] = [];
  for (const { leaseId, cost, smallestId } of work.covers.values()) {
    if (cost === 0n) continue;
    balanceAfter -= cost;
    const reference = `${leaseId === "" ? "none" : leaseId}/${smallestId}`;
    entries.push({ accountId, reference, amount: -cost, balanceAfter });
  }
  return entries;
}
