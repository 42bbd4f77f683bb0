import type { PoolConnection } from "mysql2/promise";
import type { CloseWorld } from "../domain/close-plan.ts";
import type { Lease } from "../domain/lease.ts";
import { freeUnitsOf } from "../domain/lease.ts";
import { periodKey } from "../domain/settle-plan.ts";
import { lockPeriods, type PeriodName } from "./free-period-store.ts";
import { lockOrCreateWallets } from "./load-settle-worlds.ts";
import { type LeaseName, lockLeases } from "./lock-leases.ts";
import { lockOpenGrants } from "./open-grant-store.ts";

/** Locks and reads all that ending leases needs, in the order that every transaction keeps. */
export async function loadCloseWorlds(
  tx: PoolConnection,
  names: readonly LeaseName[],
  nowMs: number,
): Promise<readonly CloseWorld[]> {
  const leases = await lockLeases(tx, names);
  const accountIds = [...leases.keys()].sort();
  const wallets = await lockOrCreateWallets(tx, accountIds);
  const found = accountIds.flatMap((id) => [...(leases.get(id)?.values() ?? [])]);
  const periods = Map.groupBy(await lockPeriods(tx, periodsOf(found)), (it) => it.accountId);
  const withGrants = accountIds.filter((id) => (wallets.get(id)?.openGrants ?? 0) > 0);
  const grants = await lockOpenGrants(tx, withGrants);
  return accountIds.map((accountId): CloseWorld => {
    const wallet = wallets.get(accountId);
    if (wallet === undefined) throw new Error(`account ${accountId} is gone`);
    const ofAccount = periods.get(accountId) ?? [];
    return {
      accountId,
      wallet,
      leases: [...(leases.get(accountId)?.values() ?? [])],
      periods: new Map(ofAccount.map((it) => [periodKey(it.service, it.startMs), it])),
      grants: grants.get(accountId) ?? [],
      nowMs,
    };
  });
}

/** The periods of leases that still hold units, each once. */
function periodsOf(leases: readonly Lease[]): PeriodName[] {
  const names = new Map<string, PeriodName>();
  for (const lease of leases) {
    if (lease.free === undefined || freeUnitsOf(lease) === 0n) continue;
    const { accountId, service } = lease;
    const startMs = lease.free.periodStartMs;
    names.set(`${accountId} ${periodKey(service, startMs)}`, { accountId, service, startMs });
  }
  return [...names.values()];
}
