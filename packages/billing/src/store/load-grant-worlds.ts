import type { PoolConnection, RowDataPacket } from "mysql2/promise";
import { freshPeriod, type UnitPeriod } from "../domain/free-units.ts";
import type { GrantWorld, LeaseAsk, PriorAsk } from "../domain/grant-plan.ts";
import type { Lease } from "../domain/lease.ts";
import { createPeriods, lockPeriods, readFreeQuotaRules } from "./free-period-store.ts";
import { inChunks } from "./in-chunks.ts";
import { lockOrCreateWallets } from "./load-settle-worlds.ts";
import { lockLeases, readLeases } from "./lock-leases.ts";
import { lockOpenGrants } from "./open-grant-store.ts";
import { quoteText } from "./sql-text.ts";

/** An account and what is asked for on it. */
export type AsksOfAccount = {
  readonly accountId: string;
  readonly currencyCode: string;
  readonly asks: readonly LeaseAsk[];
};

/** Locks and reads all that granting needs, in the order that every transaction keeps: leases, wallets, periods, grants. */
export async function loadGrantWorlds(
  tx: PoolConnection,
  accounts: readonly AsksOfAccount[],
  nowMs: number,
): Promise<readonly GrantWorld[]> {
  const asks = accounts.flatMap((account) => account.asks);
  const accountIds = accounts.map((account) => account.accountId);
  const leases = await lockLeases(tx, asks.flatMap(lockedLeaseOf));
  const wallets = await lockOrCreateWallets(tx, accountIds);
  const priors = await readPriors(tx, asks);
  const replayed = await readLeases(tx, priors.leases);
  const periods = Map.groupBy(await lockCurrentPeriods(tx, asks, nowMs), (it) => it.accountId);
  const withGrants = accountIds.filter((id) => (wallets.get(id)?.openGrants ?? 0) > 0);
  const grants = await lockOpenGrants(tx, withGrants);
  return accounts.map(({ accountId, currencyCode }): GrantWorld => {
    const wallet = wallets.get(accountId);
    if (wallet === undefined) throw new Error(`account ${accountId} is gone`);
    const known = new Map<string, Lease>(replayed.get(accountId));
    for (const [id, lease] of leases.get(accountId) ?? []) known.set(id, lease);
    return {
      accountId,
      currencyCode,
      wallet,
      leases: known,
      priors: priors.byAccount.get(accountId) ?? new Map(),
      periods: new Map(periods.get(accountId)?.map((period) => [period.service, period])),
      grants: grants.get(accountId) ?? [],
      nowMs,
    };
  });
}

/** The lease to extend; or, of a gateway's ask for a new one, the lease that the same ask may have made before. */
function lockedLeaseOf({ accountId, leaseId, gatewayId, askId }: LeaseAsk) {
  if (leaseId !== "") return [{ accountId, id: leaseId }];
  return gatewayId === "" ? [] : [{ accountId, id: askId }];
}

async function lockCurrentPeriods(
  tx: PoolConnection,
  asks: readonly LeaseAsk[],
  nowMs: number,
): Promise<readonly UnitPeriod[]> {
  const rules = await readFreeQuotaRules(tx, [...new Set(asks.map((ask) => ask.service))]);
  const wanted = new Map<string, UnitPeriod>();
  for (const { accountId, service } of asks) {
    const rule = rules.get(service);
    if (rule === undefined || rule.amount === 0n) continue;
    wanted.set(`${accountId} ${service}`, freshPeriod(accountId, rule, nowMs));
  }
  const names = [...wanted.values()];
  const found = await lockPeriods(tx, names);
  if (found.length === names.length) return found;
  const there = new Set(found.map((period) => `${period.accountId} ${period.service}`));
  await createPeriods(
    tx,
    names.filter((period) => !there.has(`${period.accountId} ${period.service}`)),
  );
  return lockPeriods(tx, names);
}

/** What API callers' asks were answered with before. Read under the wallets' locks, so that twins meet here. */
async function readPriors(tx: PoolConnection, asks: readonly LeaseAsk[]) {
  const byAccount = new Map<string, Map<string, PriorAsk>>();
  const leases: { accountId: string; id: string }[] = [];
  const keys = asks
    .filter((ask) => ask.gatewayId === "")
    .map((ask) => `(${quoteText(ask.accountId)},'CheckQuota',${quoteText(ask.requestId)})`);
  for (const chunk of inChunks(keys)) {
    const [rows] = await tx.query<PriorRow[]>(
      `SELECT account_id, request_id, LOWER(HEX(sha256)) AS sha256, result FROM idempotency_key FORCE INDEX (PRIMARY)
       WHERE (account_id, method, request_id) IN (${chunk.join(",")})`,
    );
    for (const row of rows) {
      const prior = toPrior(row);
      const ofAccount = byAccount.get(row.account_id) ?? new Map<string, PriorAsk>();
      byAccount.set(row.account_id, ofAccount.set(row.request_id, prior));
      leases.push({ accountId: row.account_id, id: prior.leaseId });
    }
  }
  return { byAccount, leases };
}

type PriorRow = RowDataPacket & {
  readonly account_id: string;
  readonly request_id: string;
  readonly sha256: string;
  readonly result: Buffer;
};

/** The stored answer: 16 bytes of the lease, then what was added to it, money and units, 8 bytes each. */
function toPrior({ sha256, result }: PriorRow): PriorAsk {
  return {
    sha256,
    leaseId: result.toString("hex", 0, 16),
    added: result.readBigInt64BE(16),
    addedUnits: result.readBigInt64BE(24),
  };
}
