import type { Clock } from "@farebox/kit/clock";
import type { Nanos } from "@farebox/kit/money";
import { inTransaction, type Pool } from "@farebox/kit/mysql";
import type { Wallet } from "../domain/balance-moves.ts";
import { isBehind } from "../domain/close-plan.ts";
import type { Lease } from "../domain/lease.ts";
import { type BatchQueue, createBatchQueue } from "./batch-queue.ts";
import { closeLeases } from "./close-leases.ts";
import { halveAtFault } from "./halve-at-fault.ts";

/** A lease that its holder gives back. */
export type CloseAsk = {
  readonly accountId: string;
  /** 32 hex digits. */
  readonly leaseId: string;
  /** What the holder counted on the lease; undefined when it does not say. */
  readonly finalTotal: Nanos | undefined;
};

/** What became of it: the lease at its end and the account's wallet, or why it was left alone. */
export type CloseAnswer =
  | { readonly kind: "closed"; readonly lease: Lease; readonly wallet: Wallet }
  | { readonly kind: "refused"; readonly reason: "LEASE_NOT_FOUND" | "JOURNAL_BEHIND" }
  /** The database holds something that no close can be right with: a bug, or a hand that wrote there. */
  | { readonly kind: "failed"; readonly error: unknown };

/** Where leases meet that are given back at about the same time. */
export type CloseQueue = BatchQueue<CloseAsk, CloseAnswer>;

export type CloseQueueDeps = { readonly pool: Pool; readonly clock: Clock };

/**
 * Makes the queue of one process. When load ebbs, thousands of leases fall idle within a second or two, each given back by a
 * call of its own: together they are a few transactions. One that is refused, or cannot be closed, never undoes another.
 */
export function createCloseQueue(deps: CloseQueueDeps): CloseQueue {
  const run = (asks: readonly CloseAsk[]) =>
    halveAtFault<CloseAsk, CloseAnswer>(asks, {
      together: (some) => closeTogether(deps, some),
      alone: async (_, error) => ({ kind: "failed", error }),
    });
  return createBatchQueue({ run, batchMax: 500, runningMax: 2, waitingMax: 20_000 });
}

async function closeTogether(
  { pool, clock }: CloseQueueDeps,
  asks: readonly CloseAsk[],
): Promise<readonly CloseAnswer[]> {
  const byLease = Map.groupBy(asks, ({ accountId, leaseId }) => keyOf(accountId, leaseId));
  const names = [...byLease.values()].flatMap(([ask]) =>
    ask === undefined ? [] : [{ accountId: ask.accountId, id: ask.leaseId }],
  );
  const askedOf = ({ accountId, id }: Lease) => byLease.get(keyOf(accountId, id)) ?? [];
  const { leases, wallets } = await inTransaction(pool, (tx) =>
    closeLeases(tx, {
      leases: names,
      state: "CLOSED",
      isDue: (lease) => askedOf(lease).some(({ finalTotal }) => !isBehind(lease, finalTotal)),
      nowMs: clock.nowMs(),
    }),
  );
  const ended = new Map(leases.map((lease) => [keyOf(lease.accountId, lease.id), lease]));
  return asks.map(({ accountId, leaseId, finalTotal }): CloseAnswer => {
    const lease = ended.get(keyOf(accountId, leaseId));
    const wallet = wallets.get(accountId);
    if (lease === undefined || wallet === undefined) {
      return { kind: "refused", reason: "LEASE_NOT_FOUND" };
    }
    if (isBehind(lease, finalTotal)) return { kind: "refused", reason: "JOURNAL_BEHIND" };
    return { kind: "closed", lease, wallet };
  });
}

function keyOf(accountId: string, leaseId: string): string {
  return `${accountId} ${leaseId}`;
}
