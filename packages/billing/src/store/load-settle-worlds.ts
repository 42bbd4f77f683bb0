import type { Wallet } from "../domain/balance-moves.ts";
import type { UnitPeriod } from "../domain/free-units.ts";
import type { AccountFacts } from "../domain/judge-item.ts";
import type { LeaseCover } from "../domain/lease.ts";
import { type JudgedItem, periodKey, type SettleWorld } from "../domain/settle-plan.ts";
import { lockPeriods, type PeriodName } from "./free-period-store.ts";
import { isOneChunk } from "./in-chunks.ts";
import { inOneTrip, type Statements } from "./in-one-trip.ts";
import { type LeaseName, type LeasesByAccount, lockCovers } from "./lock-leases.ts";
import { createWallets, lockWallets } from "./lock-wallets.ts";
import { lockOpenGrants } from "./open-grant-store.ts";
import { hasDeadLetters, type IdsByAccount, readDeadKeys, readSettledIds } from "./read-settled.ts";

/** An account and the items to settle for it. */
export type ItemsOfAccount = {
  readonly accountId: string;
  readonly facts: AccountFacts;
  readonly items: readonly JudgedItem[];
};

/**
 * Locks and reads all that settling needs, in the order that every transaction keeps: leases, wallets, periods, grants.
 * Whether items were settled before is read only when asked to; it is true for as long as the wallets are locked.
 */
export async function loadSettleWorlds(
  tx: Statements,
  accounts: readonly ItemsOfAccount[],
  areMaybeSettled: boolean,
): Promise<readonly SettleWorld[]> {
  if (accounts.length === 0) return [];
  const accountIds = accounts.map((account) => account.accountId);
  const [leases, locked, hasDead] = await lookFirst(tx, leaseNamesOf(accounts), accountIds);
  const wallets = await withMissing(tx, accountIds, locked);
  const settled = areMaybeSettled ? await readSettledIds(tx, itemNamesOf(accounts)) : noIds;
  // What was seen before a wallet was locked may have changed by the time it is.
  const mayBeDead = hasDead || locked.size < accountIds.length;
  const dead = mayBeDead ? await readDeadKeys(tx, accounts) : noIds;
  const periods = await lockPeriods(tx, periodNamesOf(accounts, leases));
  const withGrants = accountIds.filter((id) => (wallets.get(id)?.openGrants ?? 0) > 0);
  const grants = await lockOpenGrants(tx, withGrants);
  const periodsOf = Map.groupBy(periods, (period) => period.accountId);
  return accounts.map(({ accountId, facts }): SettleWorld => {
    const wallet = wallets.get(accountId);
    if (wallet === undefined) throw new Error(`account ${accountId} is gone`);
    return {
      accountId,
      facts,
      wallet,
      leases: leases.get(accountId) ?? noLeases,
      periods: byKey(periodsOf.get(accountId)),
      grants: grants.get(accountId) ?? [],
      settledIds: settled.get(accountId) ?? noKeys,
      deadKeys: dead.get(accountId) ?? noKeys,
    };
  });
}

/** Locks wallets, making those of accounts that have none yet: each is made once, whoever is first. */
export async function lockOrCreateWallets(
  tx: Statements,
  accountIds: readonly string[],
): Promise<ReadonlyMap<string, Wallet>> {
  return withMissing(tx, accountIds, await lockWallets(tx, accountIds));
}

async function withMissing(
  tx: Statements,
  accountIds: readonly string[],
  wallets: ReadonlyMap<string, Wallet>,
): Promise<ReadonlyMap<string, Wallet>> {
  if (wallets.size === accountIds.length) return wallets;
  await createWallets(
    tx,
    accountIds.filter((id) => !wallets.has(id)),
  );
  return lockWallets(tx, accountIds);
}

type FirstLook = [LeasesByAccount<LeaseCover>, ReadonlyMap<string, Wallet>, boolean];

/** What settling always reads. Together only when each list is one statement: all leases are locked before any wallet. */
async function lookFirst(
  tx: Statements,
  leases: readonly LeaseName[],
  accountIds: readonly string[],
): Promise<FirstLook> {
  if (isOneChunk(leases) && isOneChunk(accountIds)) {
    return inOneTrip<FirstLook>(tx, (trip) => [
      lockCovers(trip, leases),
      lockWallets(trip, accountIds),
      hasDeadLetters(trip),
    ]);
  }
  return [
    await lockCovers(tx, leases),
    await lockWallets(tx, accountIds),
    await hasDeadLetters(tx),
  ];
}

const noIds: IdsByAccount = new Map();
const noKeys: ReadonlySet<string> = new Set();
const noLeases: ReadonlyMap<string, LeaseCover> = new Map();
const noPeriods: ReadonlyMap<string, UnitPeriod> = new Map();

function leaseNamesOf(accounts: readonly ItemsOfAccount[]): LeaseName[] {
  const names: LeaseName[] = [];
  for (const { accountId, items } of accounts) {
    const seen = new Set<string>();
    for (const { item } of items) {
      if (item.leaseId.length !== 32 || seen.has(item.leaseId)) continue;
      seen.add(item.leaseId);
      names.push({ accountId, id: item.leaseId });
    }
  }
  return names;
}

function itemNamesOf(accounts: readonly ItemsOfAccount[]) {
  return accounts.flatMap(({ accountId, items }) =>
    items.filter(({ key }) => key.length === 32).map(({ key }) => ({ accountId, id: key })),
  );
}

/** Only leases with free units of which some item burns any. */
function periodNamesOf(
  accounts: readonly ItemsOfAccount[],
  leases: LeasesByAccount<LeaseCover>,
): PeriodName[] {
  const names = new Map<string, PeriodName>();
  for (const { accountId, items } of accounts) {
    for (const { item } of items) {
      if (item.freeUnits === 0) continue;
      const lease = leases.get(accountId)?.get(item.leaseId);
      if (lease?.periodStartMs === undefined) continue;
      const { service, periodStartMs: startMs } = lease;
      names.set(`${accountId} ${periodKey(service, startMs)}`, { accountId, service, startMs });
    }
  }
  return [...names.values()];
}

function byKey(periods: readonly UnitPeriod[] | undefined): ReadonlyMap<string, UnitPeriod> {
  if (periods === undefined) return noPeriods;
  return new Map(periods.map((period) => [periodKey(period.service, period.startMs), period]));
}
