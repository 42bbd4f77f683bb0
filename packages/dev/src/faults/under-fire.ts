import { comeToRest } from "./come-to-rest.ts";
import type { CallRecord } from "./make-call.ts";
import type { Customer } from "./office.ts";
import type { FaultStack } from "./open-fault-stack.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { type Load, startLoad } from "./start-load.ts";
import { watchInvariants } from "./watch-invariants.ts";

/** A round of calls during which something is struck. */
export type FireWish = {
  readonly customers: readonly Customer[];
  readonly random: SeededRandom;
  /** How many clients call at a time, and how many answers there must be before the strike and again after it. */
  readonly clients: number;
  readonly answers: number;
  /** All calls of the stack so far; those of the round are added. */
  readonly calls: CallRecord[];
  /** Whether a gateway has died in this stack, now or before. */
  readonly deaths: "none" | "some";
  readonly strike: (load: Load) => Promise<void>;
};

/** What a round showed. */
export type FireReport = {
  /** Laws of money that were broken at some read while it burnt. */
  readonly brokenLaws: readonly string[];
  readonly looks: number;
  /** What Billing's own reconciliation found afterwards. */
  readonly drifts: readonly string[];
  readonly completed: number;
};

/**
 * Calls, strikes, goes on calling until it is served again, and waits until all has come to rest: then the clients' log, the
 * upstream's and the books agree to the last nano, or this throws. The laws of money are read all the while.
 */
export async function underFire(faults: FaultStack, wish: FireWish): Promise<FireReport> {
  await using watch = watchInvariants(faults.stack.dev.databaseUrl);
  await using load = startLoad({ ...wish, gatewayUrls: faults.stack.gatewayUrls });
  try {
    await load.completes(wish.answers + wish.random.below(wish.answers));
    await wish.strike(load);
    await load.completes(wish.answers);
  } finally {
    wish.calls.push(...(await load.stop()));
  }
  await comeToRest(faults, wish.calls, wish.deaths);
  return {
    brokenLaws: await watch.stop(),
    looks: watch.looks,
    drifts: await faults.office.drifts(),
    completed: load.completed,
  };
}
