import type { Clock } from "@farebox/kit/clock";
import type { Pool } from "@farebox/kit/mysql";
import type { RechargeEvents } from "../recharge-events.ts";
import {
  countParkedOrders,
  expirePending,
  readOverdueOrders,
} from "../store/recharge-order-store.ts";

export type ExpireRechargesDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly events: RechargeEvents;
};

/** How long after its end an order waits for word of a payment made in its last moments. */
const graceMs = 3_600_000;
/** How many orders one run ends; what is left is for the next. */
const ordersMax = 500;
const parkedMax = 10_000;

/**
 * Ends orders that nobody paid in time, and tells how many wait for a person. Any number of processes may do it at once. A
 * payment that arrives later is credited all the same.
 */
export async function expireRecharges(
  deps: ExpireRechargesDeps,
  signal?: AbortSignal,
): Promise<void> {
  const beforeMs = deps.clock.nowMs() - graceMs;
  let count = 0;
  for (const order of await readOverdueOrders(deps.pool, { beforeMs, limit: ordersMax })) {
    if (signal?.aborted === true) break;
    if (await expirePending(deps.pool, order)) count += 1;
  }
  if (count > 0) deps.events.rechargesExpired(count);
  deps.events.rechargesParkedCounted(await countParkedOrders(deps.pool, parkedMax));
}
