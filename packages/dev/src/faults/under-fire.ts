import { comeToRest } from "./come-to-rest.ts";
import type { FaultStack } from "./open-fault-stack.ts";
import { openRound, type Round } from "./open-round.ts";
import { pressGateways } from "./press/press-gateways.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Load } from "./start-load.ts";
import { watchInvariants } from "./watch-invariants.ts";

/** A round of calls during which something is struck. */
export type FireWish = {
  readonly random: SeededRandom;
  /** How many clients call at a time, and how many answers there must be before the strike and again after it. */
  readonly clients: number;
  readonly answers: number;
  /** Whether a gateway dies in this round. */
  readonly deaths: "none" | "some";
  readonly strike: (round: Round, load: Load) => Promise<void>;
};

/** What a round showed. */
export type FireReport = {
  /** Laws of money that were broken at some read while it burnt. */
  readonly brokenLaws: readonly string[];
  readonly looks: number;
  /** What Billing's own reconciliation found afterwards. */
  readonly drifts: readonly string[];
  /** How many calls were made, and how many of them were answered in full. */
  readonly calls: number;
  readonly completed: number;
  /** Answers in full a second: on the way to the strike, and in the fastest second of all. */
  readonly perSecond: { readonly beforeStrike: number; readonly peak: number };
};

/**
 * Calls as fast as the machine gives, strikes, goes on calling until it is served again, and waits until all has come to
 * rest: then the clients' log, the upstream's and the books agree to the last nano, or this throws. The laws of money are
 * read all the while. Every round has customers of its own, so that a round costs the judge what it served and no more.
 */
export async function underFire(faults: FaultStack, wish: FireWish): Promise<FireReport> {
  const { random, clients, answers, deaths } = wish;
  const { gatewayUrls, dev } = faults.stack;
  const round = await openRound(faults);
  const { accountIds, customers, calls } = round;
  await using watch = watchInvariants(dev.databaseUrl, accountIds);
  const seed = random.below(1_000_000_007);
  await using load = pressGateways({ gatewayUrls, customers, clients, seed });
  let beforeStrike = 0;
  try {
    await load.completes(answers + random.below(answers));
    beforeStrike = load.rate.mean;
    await wish.strike(round, load);
    await load.completes(answers);
  } finally {
    calls.push(...(await load.stop()));
  }
  await comeToRest(faults, calls, deaths, { accountIds });
  return {
    brokenLaws: await watch.stop(),
    looks: watch.looks,
    drifts: await faults.office.drifts(accountIds),
    calls: calls.length,
    completed: load.completed,
    perSecond: { beforeStrike: Math.round(beforeStrike), peak: Math.round(load.rate.peak) },
  };
}
