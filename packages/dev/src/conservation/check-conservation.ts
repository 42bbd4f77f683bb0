import { judgeAccount, judgeLease } from "./judge-accounts.ts";
import { judgeCosts, judgeTotals, type Matching, matchAttempts } from "./judge-charges.ts";
import { openBooks } from "./open-books.ts";
import { readAccounts, readLeases } from "./read-accounts.ts";
import {
  type ChargedAttempt,
  type ChargeGroup,
  readChargeGroups,
  readCharges,
} from "./read-charges.ts";
import { readUpstream } from "./read-upstream.ts";

/** What to compare. */
export type ConservationRequest = {
  /** Billing's database. */
  readonly databaseUrl: string;
  /** The demo upstream that answered all of it; left out where there was none. */
  readonly upstreamUrl?: string;
  /** Only these accounts, where the database holds others; the upstream must have served no others since its log was reset. */
  readonly accountIds?: readonly string[];
};

/** What was found. */
export type Conservation = {
  /** Every disagreement in words; empty when all is conserved. */
  readonly faults: readonly string[];
  readonly accounts: number;
  readonly transactions: number;
  readonly costNanos: bigint;
  /** What leases and dead letters hold: zero when everything has come to rest. */
  readonly heldNanos: bigint;
  /** How many attempts the upstream counts, refused and broken ones included. */
  readonly attempts: number;
  /** Attempt by attempt; undefined without an upstream, or when its log no longer holds all of them. */
  readonly matching: Matching | undefined;
  /** The transactions themselves, under the same condition. */
  readonly charges: readonly ChargedAttempt[];
  /** How often which usage was charged by which price: to compare with the log of another upstream than the demo's. */
  readonly groups: readonly ChargeGroup[];
};

/**
 * Proves that nothing was lost or charged twice: the upstream's own log, times the prices by arithmetic of our own, equals
 * the transactions, which equal the leases' counters, the ledger and the balances. Reads the database in one consistent
 * snapshot and the services not at all, so that it may be called on a running system; the upstream's part only agrees once
 * everything has been settled.
 *
 * Attempts that no transaction names and those of dead gateways are counted in `matching`, not among the faults. When the
 * upstream's log has dropped attempts (it keeps 100,000) sums by model are compared instead.
 */
export async function checkConservation(request: ConservationRequest): Promise<Conservation> {
  const { databaseUrl, upstreamUrl, accountIds } = request;
  const upstream = upstreamUrl === undefined ? undefined : await readUpstream(upstreamUrl);
  const isWhole = upstream !== undefined && upstream.dropped === 0;
  const found = await openBooks(databaseUrl, async (books) => ({
    accounts: await readAccounts(books, { accountIds }),
    leases: await readLeases(books, { accountIds }),
    groups: await readChargeGroups(books, { accountIds }),
    charges: isWhole ? await readCharges(books, { accountIds }) : [],
  }));
  const matching = isWhole ? matchAttempts(upstream.attempts, found.charges) : undefined;
  const totals =
    upstream === undefined || isWhole ? [] : judgeTotals(upstream.totals, found.groups);
  return {
    faults: [
      ...found.accounts.flatMap(judgeAccount),
      ...found.leases.flatMap(judgeLease),
      ...judgeCosts(found.groups),
      ...(matching?.faults ?? []),
      ...totals,
    ],
    accounts: found.accounts.length,
    transactions: Number(found.accounts.reduce((sum, it) => sum + it.transactions, 0n)),
    costNanos: found.accounts.reduce((sum, it) => sum + it.transactionCost, 0n),
    heldNanos: found.accounts.reduce((sum, it) => sum + it.held, 0n),
    attempts: upstream?.totals.calls ?? 0,
    matching,
    charges: found.charges,
    groups: found.groups,
  };
}
