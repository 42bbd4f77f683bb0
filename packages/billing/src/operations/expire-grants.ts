import type { Clock } from "@farebox/kit/clock";
import type { Nanos } from "@farebox/kit/money";
import { inTransaction, type Pool } from "@farebox/kit/mysql";
import { expireDue } from "../domain/expire-due.ts";
import type { MoneyEvents } from "../events.ts";
import { inOneTrip } from "../store/in-one-trip.ts";
import { lockWallets } from "../store/lock-wallets.ts";
import { moveWallets } from "../store/move-wallets.ts";
import { lockOpenGrants, readAccountsWithDueGrants } from "../store/open-grant-store.ts";
import { saveExpiries } from "../store/save-grants.ts";

export type ExpireGrantsDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly events: MoneyEvents;
};

/** How many accounts one transaction touches. */
const batchMax = 200;
/** How many batches one run does; what is left is for the next. */
const batchesMax = 500;

/**
 * Takes out of balances what is left of grants whose time is up, but for what open leases may still spend: that expires
 * when they return it. Any number of processes may do it at once; each grant expires once.
 */
export async function expireGrants(deps: ExpireGrantsDeps, signal?: AbortSignal): Promise<void> {
  let after = "";
  for (let batch = 0; batch < batchesMax && signal?.aborted !== true; batch += 1) {
    const accountIds = await readAccountsWithDueGrants(deps.pool, {
      after,
      nowMs: deps.clock.nowMs(),
      limit: batchMax,
    });
    const last = accountIds.at(-1);
    if (last === undefined) return;
    after = last;
    const expired = await expireOf(deps, accountIds);
    if (expired.count > 0) deps.events.grantsExpired(expired);
  }
}

async function expireOf(
  deps: ExpireGrantsDeps,
  accountIds: readonly string[],
): Promise<{ readonly count: number; readonly nanos: Nanos }> {
  return inTransaction(deps.pool, async (tx) => {
    const nowMs = deps.clock.nowMs();
    const wallets = await lockWallets(tx, accountIds);
    const grants = await lockOpenGrants(tx, [...wallets.keys()]);
    const moves = [...wallets].map(([accountId, before]) => {
      const expiry = expireDue(before, grants.get(accountId) ?? [], nowMs);
      return { accountId, before, after: expiry.wallet, expiry };
    });
    const expiries = moves.map((move) => move.expiry);
    await inOneTrip(tx, (trip) => [moveWallets(trip, moves), saveExpiries(trip, expiries, nowMs)]);
    const parts = expiries.flatMap((expiry) => expiry.parts);
    return { count: parts.length, nanos: parts.reduce((sum, part) => sum + part.amount, 0n) };
  });
}
