import type { Attempt, Totals } from "../upstream/attempt-log.ts";
import { type BilledUsage, bucketNames, exactCost } from "./exact-cost.ts";
import type { ChargedAttempt, ChargeGroup } from "./read-charges.ts";

/** What is wrong with the costs: each must be what its usage costs by the price it names, to the last nano. */
export function judgeCosts(groups: readonly ChargeGroup[]): readonly string[] {
  return groups.flatMap((group) => {
    const { terms, model, usage, isFree, count, leastCost, mostCost } = group;
    if (terms === undefined) {
      // A charge that states its amount names no price, and no tokens to price.
      const isPriced = bucketNames.some((it) => it !== "requests" && usage[it] !== 0n);
      return isPriced ? [`${model}: ${count} charges name no known price`] : [];
    }
    const cost = isFree ? 0n : exactCost(terms, usage);
    if (leastCost === cost && mostCost === cost) return [];
    const range = leastCost === mostCost ? `${leastCost}` : `${leastCost} to ${mostCost}`;
    return [`${model}: ${count} charges of ${describe(usage)} cost ${range}, not ${cost}`];
  });
}

/** How the transactions of a run relate to the attempts that the upstream saw. */
export type Matching = {
  readonly faults: readonly string[];
  /** Attempts whose reported usage was charged, exactly. */
  readonly inFull: number;
  /** Attempts that a dying gateway left, charged for what its journal had last seen. */
  readonly interrupted: number;
  /** Attempts that no transaction names. */
  readonly unnamed: readonly Attempt[];
};

/**
 * Compares attempt by attempt: what the upstream reported in full is charged in full, once; nothing is charged twice, and
 * nothing that the upstream never answered. Whether an attempt may be unnamed or interrupted depends on which gateways died,
 * so that is for the caller to judge.
 */
export function matchAttempts(
  attempts: readonly Attempt[],
  charges: readonly ChargedAttempt[],
): Matching {
  const faults: string[] = [];
  const byUpstreamId = new Map<string, ChargedAttempt>();
  for (const charge of charges) {
    if (charge.upstreamId === "") continue;
    const twin = byUpstreamId.get(charge.upstreamId);
    if (twin !== undefined) faults.push(`${charge.upstreamId} is charged twice`);
    byUpstreamId.set(charge.upstreamId, charge);
  }
  const seen = new Set<string>();
  const unnamed: Attempt[] = [];
  let inFull = 0;
  let interrupted = 0;
  for (const attempt of attempts) {
    seen.add(attempt.id);
    const charge = byUpstreamId.get(attempt.id);
    if (charge === undefined) unnamed.push(attempt);
    else if (charge.state === "INTERRUPTED") interrupted += 1;
    else if (attempt.usageSent === "full" && charge.source === "PROVIDER") {
      inFull += 1;
      if (!isSameUsage(attempt, charge)) {
        faults.push(
          `${attempt.id}: charged ${describe(charge.usage)}, sent ${describeSent(attempt)}`,
        );
      }
    }
  }
  for (const id of byUpstreamId.keys()) {
    if (!seen.has(id)) faults.push(`${id} is charged, but the upstream never answered it`);
  }
  return { faults, inFull, interrupted, unnamed };
}

/** Compares sums, for logs too long to keep: what the upstream reported in full is what was charged as reported. */
export function judgeTotals(totals: Totals, groups: readonly ChargeGroup[]): readonly string[] {
  const billed = new Map<string, bigint>();
  for (const { source, usage, count } of groups) {
    if (source !== "PROVIDER") continue;
    for (const bucket of bucketNames) {
      billed.set(bucket, (billed.get(bucket) ?? 0n) + usage[bucket] * count);
    }
  }
  return Object.entries(totals.usage).flatMap(([bucket, tokens]) => {
    const charged = billed.get(bucket) ?? 0n;
    return charged === BigInt(tokens) ? [] : [`${bucket}: charged ${charged}, sent ${tokens}`];
  });
}

function isSameUsage({ usage }: Attempt, charge: ChargedAttempt): boolean {
  return Object.entries(usage).every(
    ([bucket, tokens]) => asBuckets(charge.usage)[bucket] === BigInt(tokens),
  );
}

function asBuckets(usage: BilledUsage): Readonly<Record<string, bigint>> {
  return usage;
}

function describe(usage: BilledUsage): string {
  const used = bucketNames.filter((bucket) => usage[bucket] !== 0n);
  return used.map((bucket) => `${bucket} ${usage[bucket]}`).join(", ") || "nothing";
}

function describeSent({ usage }: Attempt): string {
  return Object.entries(usage)
    .filter(([, tokens]) => tokens !== 0)
    .map(([bucket, tokens]) => `${bucket} ${tokens}`)
    .join(", ");
}
