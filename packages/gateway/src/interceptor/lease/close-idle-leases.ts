import type { Clock } from "@farebox/kit/clock";
import type { GatewayEpoch } from "../settlement/gateway-epoch.ts";
import type { Lease } from "./lease.ts";
import type { LeaseBook } from "./lease-book.ts";
import type { LeaseCloser } from "./lease-closer.ts";
import type { QuotaPool } from "./quota-pool.ts";

/** What the sweep needs. */
export type CloseIdleDeps = {
  readonly book: LeaseBook;
  readonly closer: LeaseCloser;
  readonly settlement: { readonly acknowledged: number; readonly isConnected: boolean };
  readonly epoch: GatewayEpoch;
  readonly clock: Clock;
};

/**
 * Returns the leases that nobody uses to their accounts, so that money does not sit where no call needs it, and lets go of
 * accounts that have been quiet for a minute. A lease is closed when no call is in flight or waits, none was admitted for
 * `idleMs`, and Billing has acknowledged all that was charged to it. Calls that arrive during a close wait for its end: what
 * it returns may be what they need.
 */
export function closeIdleLeases(deps: CloseIdleDeps, idleMs: number): void {
  const { book, closer, epoch } = deps;
  const nowMs = deps.clock.monotonicMs();
  const mayClose = deps.settlement.isConnected;
  for (const pool of book.pools.all()) {
    const { lease } = pool;
    if (lease !== undefined && lease.epoch !== epoch.current) pool.lease = undefined;
    else if (lease !== undefined) {
      if (mayClose && closer.hasRoom && isIdle(deps, pool, lease, nowMs - idleMs)) {
        closeLease(deps, pool, lease);
      }
    } else if (nowMs - pool.lastAdmitMs > forgetMs) {
      book.pools.forget(pool);
    }
  }
}

function isIdle(
  { settlement }: CloseIdleDeps,
  pool: QuotaPool,
  lease: Lease,
  sinceMs: number,
): boolean {
  return (
    lease.callsInFlight === 0 &&
    pool.waiting.length === 0 &&
    !pool.isAsking &&
    pool.lastAdmitMs <= sinceMs &&
    lease.lastOutcome <= settlement.acknowledged
  );
}

function closeLease({ book, closer }: CloseIdleDeps, pool: QuotaPool, lease: Lease): void {
  pool.isClosing = true;
  pool.lease = undefined;
  closer
    .close(lease)
    .finally(() => {
      pool.isClosing = false;
      // What Billing said before the money came back is no longer true.
      pool.denial = undefined;
      book.resume(pool);
    })
    .catch(() => undefined);
}

const forgetMs = 60_000;
