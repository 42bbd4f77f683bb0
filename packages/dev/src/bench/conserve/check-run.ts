import { checkConservation } from "../../conservation/check-conservation.ts";
import { exactCost } from "../../conservation/exact-cost.ts";
import { openBooks } from "../../conservation/open-books.ts";
import { type ChargeGroup, readChargeGroups } from "../../conservation/read-charges.ts";
import { benchTerms } from "./bench-price.ts";
import { tallyKey, type UsageTally } from "./usage-tally.ts";

/** What was delivered, and the books in which exactly that must stand. */
export type RunCheck = {
  /** A database that nothing but the benchmark has used. */
  readonly databaseUrl: string;
  /** The upstream's own count of what it answered. */
  readonly delivered: UsageTally;
};

/**
 * Proves that a run was charged exactly: every call that the upstream answered is one transaction of the same usage, at the
 * cost that the price makes of it by arithmetic of our own; and transactions, leases, ledger, hourly sums and balances agree
 * account by account. Returns every difference in words; none means conserved.
 */
export async function checkRun({ databaseUrl, delivered }: RunCheck): Promise<readonly string[]> {
  const { faults, transactions } = await checkConservation({ databaseUrl });
  const groups = await openBooks(databaseUrl, (books) =>
    readChargeGroups(books, { accountIds: undefined }),
  );
  const counts =
    transactions === delivered.calls
      ? []
      : [`${transactions} transactions, but the upstream answered ${delivered.calls} calls`];
  return [...counts, ...faults, ...compareCalls(delivered, groups), ...groups.flatMap(judgeGroup)];
}

function compareCalls(delivered: UsageTally, groups: readonly ChargeGroup[]): readonly string[] {
  const charged = new Map<string, number>();
  for (const { usage, count } of groups) {
    const key = tallyKey(usage);
    charged.set(key, (charged.get(key) ?? 0) + Number(count));
  }
  const keys = new Set([...delivered.byKey.keys(), ...charged.keys()]);
  return [...keys].flatMap((key) => {
    const sent = delivered.byKey.get(key) ?? 0;
    const billed = charged.get(key) ?? 0;
    return sent === billed ? [] : [`${key}: ${billed} charged, ${sent} answered`];
  });
}

/** The cost must come from the price that the benchmark set, whatever snapshot the transaction names. */
function judgeGroup(group: ChargeGroup): readonly string[] {
  const { usage, source, isFree, count, leastCost, mostCost } = group;
  const faults: string[] = [];
  const name = `${count} charges of ${tallyKey(usage)}`;
  if (source !== "PROVIDER") faults.push(`${name} are by ${source}, not as the provider reported`);
  if (isFree) faults.push(`${name} are free`);
  if (usage.requests !== 1n) faults.push(`${name} are of ${usage.requests} requests each`);
  const cost = exactCost(benchTerms, usage);
  if (leastCost !== cost || mostCost !== cost) {
    faults.push(`${name} cost ${leastCost} to ${mostCost}, not ${cost}`);
  }
  return faults;
}
