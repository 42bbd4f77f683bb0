import type { Clock } from "@farebox/kit/clock";
import { inTransaction, type Pool } from "@farebox/kit/mysql";
import type { Lease } from "../domain/lease.ts";
import type { LeaseName } from "../store/lock-leases.ts";
import { closeLeases } from "./close-leases.ts";

export type ReleaseLeasesDeps = { readonly pool: Pool; readonly clock: Clock };

export type ReleaseLeasesInput = {
  /** A few hundred at most: they are one transaction. */
  readonly leases: readonly LeaseName[];
  readonly state: "CLOSED" | "RELEASED";
  /** Asked about each lease once it is locked: one that was extended meanwhile can be spared. */
  readonly isDue?: (lease: Lease) => boolean;
};

/**
 * Returns what leases still hold to their accounts, whoever held them. Leases that have ended already, or do not exist,
 * are passed over; so repeating it, or doing it in two processes at once, returns everything once. Answers those that
 * ended here, as they are afterwards.
 */
export async function releaseLeases(
  deps: ReleaseLeasesDeps,
  input: ReleaseLeasesInput,
): Promise<readonly Lease[]> {
  if (input.leases.length === 0) return [];
  return inTransaction(deps.pool, async (tx) => {
    const { closed } = await closeLeases(tx, { ...input, nowMs: deps.clock.nowMs() });
    return closed.map(({ after }) => after);
  });
}
