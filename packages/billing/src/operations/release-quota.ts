import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import type { Nanos } from "@farebox/kit/money";
import { inTransaction, type Pool } from "@farebox/kit/mysql";
import type { Wallet } from "../domain/balance-moves.ts";
import { isBehind } from "../domain/close-plan.ts";
import type { Lease } from "../domain/lease.ts";
import { closeLeases } from "./close-leases.ts";

export type ReleaseQuotaDeps = { readonly pool: Pool; readonly clock: Clock };

export type ReleaseQuotaInput = {
  readonly accountId: string;
  /** 32 hex digits. */
  readonly leaseId: string;
  /** What the holder counted on the lease; undefined when it does not say. */
  readonly finalTotal: Nanos | undefined;
};

/** The lease at its end, and the account's wallet. */
export type ReleasedQuota = { readonly lease: Lease; readonly wallet: Wallet };

/**
 * Closes a lease and returns what was not used. Closing it again answers the same; a lease that has ended otherwise is
 * answered as it is.
 *
 * Errors: LEASE_NOT_FOUND, JOURNAL_BEHIND while less is settled than the holder counted, UNAVAILABLE.
 */
export async function releaseQuota(
  deps: ReleaseQuotaDeps,
  input: ReleaseQuotaInput,
): Promise<ReleasedQuota> {
  const { accountId, leaseId: id, finalTotal } = input;
  return inTransaction(deps.pool, async (tx) => {
    const { leases, wallets } = await closeLeases(tx, {
      leases: [{ accountId, id }],
      state: "CLOSED",
      isDue: (lease) => !isBehind(lease, finalTotal),
      nowMs: deps.clock.nowMs(),
    });
    const [lease] = leases;
    const wallet = wallets.get(accountId);
    if (lease === undefined || wallet === undefined) throw new AppError("LEASE_NOT_FOUND");
    if (isBehind(lease, finalTotal)) {
      throw new AppError("JOURNAL_BEHIND", undefined, { retryAfterMs: 100 });
    }
    return { lease, wallet };
  });
}
