import type { Clock } from "@farebox/kit/clock";
import { inTransaction, type Pool } from "@farebox/kit/mysql";
import { dayMs } from "../domain/usage-day.ts";
import type { PruneEvents } from "../prune-events.ts";
import { deleteEndedClaims, firstClaim, walkEndedClaims } from "../store/ended-claim-store.ts";
import {
  deleteEndedLeases,
  firstLease,
  type WalkedPage,
  walkEndedLeases,
} from "../store/ended-lease-store.ts";
import { deleteLostSessions } from "../store/session-store.ts";

export type PruneEndedDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly events: PruneEvents;
  /** Days that an ended lease and a lost gateway's session are kept; 0 keeps them for ever. */
  readonly leaseRetentionDays: number;
  /** Days that an ended claim of a client's request id is kept; 0 keeps it for ever. */
  readonly requestIdRetentionDays: number;
};

/** Rows that one run looks at in each table, and that one statement looks at or deletes. */
const walkedMax = 20_000;
const pageSize = 500;
const sessionsMax = 500;
/** How far the clocks of billing's processes may be apart. */
const proofMarginMs = 600_000;

/**
 * Makes the job that forgets what has ended and is needed by no proof: leases, claims of client request ids, and sessions of
 * gateways that never came back. Each run goes on where the last one stopped, through the tables in the order of their keys,
 * and begins anew at their end. A lease is only forgotten after a whole look at its account that found nothing wrong, and not
 * while a dead letter that waits for an operator names it.
 *
 * Any number of processes may prune: every deletion is conditional, and happens once.
 */
export function createPruneEnded(deps: PruneEndedDeps): (signal: AbortSignal) => Promise<void> {
  const { pool, clock, events, leaseRetentionDays, requestIdRetentionDays } = deps;
  const daysAgo = (days: number) => new Date(clock.nowMs() - days * dayMs);
  let lease = firstLease;
  let claim = firstClaim;
  return async (signal) => {
    if (leaseRetentionDays > 0) {
      const endedBefore = daysAgo(leaseRetentionDays);
      const cutoff = { endedBefore, proofMarginMs };
      const leases = await walk(signal, lease, firstLease, {
        look: (after) => walkEndedLeases(pool, after, pageSize, cutoff),
        forget: (found) => inTransaction(pool, (tx) => deleteEndedLeases(tx, found, cutoff)),
      });
      lease = leases.next;
      const sessions = await inTransaction(pool, (tx) =>
        deleteLostSessions(tx, endedBefore, sessionsMax),
      );
      events.pruned({ leases: leases.forgotten, sessions });
    }
    if (requestIdRetentionDays > 0) {
      const madeBefore = daysAgo(requestIdRetentionDays);
      const claims = await walk(signal, claim, firstClaim, {
        look: (after) => walkEndedClaims(pool, after, pageSize, madeBefore),
        forget: (found) => inTransaction(pool, (tx) => deleteEndedClaims(tx, found, madeBefore)),
      });
      claim = claims.next;
      events.pruned({ claims: claims.forgotten });
    }
  };
}

/** Goes through a table for one run; `next` is where the one after it begins. */
async function walk<Key>(
  signal: AbortSignal,
  from: Key,
  first: Key,
  table: {
    readonly look: (after: Key) => Promise<WalkedPage<Key>>;
    readonly forget: (found: readonly Key[]) => Promise<number>;
  },
): Promise<{ readonly next: Key; readonly forgotten: number }> {
  let next = from;
  let forgotten = 0;
  for (let walked = 0; walked < walkedMax && !signal.aborted; walked += pageSize) {
    const { last, found } = await table.look(next);
    if (found.length > 0) forgotten += await table.forget(found);
    if (last === undefined) return { next: first, forgotten };
    next = last;
  }
  return { next, forgotten };
}
