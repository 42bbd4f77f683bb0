import { inTransaction } from "@farebox/kit/mysql";
import type { Lease } from "../domain/lease.ts";
import { createSteadyWatch, type Sighting } from "../domain/steady-watch.ts";
import { isStrictLeaseOver } from "../domain/strict-expiry.ts";
import type { LeaseEvents } from "../lease-events.ts";
import type { LeaseName } from "../store/lock-leases.ts";
import { readStrictLeases, type StrictLease } from "../store/lost-lease-store.ts";
import { type ReleaseLeasesDeps, releaseLeases } from "./release-leases.ts";

export type SweepStrictLeasesDeps = ReleaseLeasesDeps & {
  readonly events: LeaseEvents;
  /** How often the sweep runs: longer pauses between two runs do not count as watching. */
  readonly periodMs: number;
};

/** How many leases are watched at once: those that expire first. */
const watchedMax = 5_000;
const batchMax = 200;

/**
 * Makes the sweep that returns what strict leases hold when their holders neither close nor extend them. A lease ends
 * between one and two validities after its grant or its last extension, whatever the wall clocks do; after a restart
 * of this process somewhat later. Any number of processes may sweep.
 */
export function createSweepStrictLeases(deps: SweepStrictLeasesDeps): () => Promise<void> {
  const seen = createSteadyWatch(deps.periodMs * 2);
  const seenExpired = createSteadyWatch(deps.periodMs * 2);
  return async () => {
    const now = new Date(deps.clock.nowMs());
    const leases = await inTransaction(deps.pool, (tx) => readStrictLeases(tx, now, watchedMax));
    const nowMs = deps.clock.monotonicMs();
    const seenMs = seen(nowMs, leases.map(toSighting));
    const expiredMs = seenExpired(nowMs, leases.filter((lease) => lease.isExpired).map(toSighting));
    const over = leases.filter((lease) =>
      isStrictLeaseOver({
        validForMs: lease.validForMs,
        seenMs: seenMs.get(keyOf(lease)) ?? 0,
        seenExpiredMs: expiredMs.get(keyOf(lease)) ?? 0,
      }),
    );
    const expiries = new Map(over.map((lease) => [keyOf(lease), lease.expireTimeMs]));
    // One that was extended after it was read is spared.
    const isDue = (lease: Lease) => expiries.get(keyOf(lease)) === lease.expireTimeMs;
    for (let start = 0; start < over.length; start += batchMax) {
      const leases = over.slice(start, start + batchMax);
      const released = await releaseLeases(deps, { leases, state: "RELEASED", isDue });
      if (released.length > 0) deps.events.leasesExpired(released.length);
    }
  };
}

const keyOf = (lease: LeaseName) => `${lease.id}${lease.accountId}`;
const toSighting = (lease: StrictLease): Sighting => [keyOf(lease), String(lease.expireTimeMs)];
