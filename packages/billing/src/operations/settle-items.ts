import { hash } from "node:crypto";
import type { Clock } from "@farebox/kit/clock";
import { inTransaction, isDuplicate, type Pool, type PoolConnection } from "@farebox/kit/mysql";
import { judgeItem } from "../domain/judge-item.ts";
import { isAccountId } from "../domain/plain-text.ts";
import {
  type JudgedItem,
  planSettlement,
  type SettlePlan,
  type SettleStatus,
} from "../domain/settle-plan.ts";
import type { DecodedItem } from "../domain/usage-item.ts";
import type { MoneyEvents } from "../events.ts";
import type { AccountFactsCache } from "../store/account-facts.ts";
import { insertDeadLetters } from "../store/insert-dead-letters.ts";
import { loadSettleWorlds } from "../store/load-settle-worlds.ts";
import { savePlans } from "../store/save-plans.ts";
import type { SnapshotPrices } from "../store/snapshot-prices.ts";
import { type AccountBatch, groupByAccount } from "./group-by-account.ts";
import { halveAtFault } from "./halve-at-fault.ts";

export type SettleItemsDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly facts: AccountFactsCache;
  readonly prices: SnapshotPrices;
  readonly events: MoneyEvents;
  /** Midnight UTC of the oldest day whose transactions are kept: older items go to `usage_late`. */
  readonly oldestKeptDayMs: () => number;
};

export type SettleItemsInput = { readonly items: readonly DecodedItem[] };

/**
 * Charges outcomes, each once by its id, and answers item by item in their order. One transaction for all of them: when
 * this returns, every charge, its ledger entry and its sums are durable.
 *
 * Delivered again, an item is DUPLICATE and changes nothing. One that cannot be charged goes to the dead letters, its
 * money stays held, and it never stops the others: a batch that fails for a reason which a retry cannot mend is halved
 * until the item at fault stands alone.
 *
 * Errors: UNAVAILABLE, after which the caller sends the same items again.
 */
export async function settleItems(
  deps: SettleItemsDeps,
  input: SettleItemsInput,
): Promise<readonly SettleStatus[]> {
  if (input.items.length === 0) return [];
  return settleOrHalve(deps, await judgeItems(deps, input.items));
}

async function judgeItems(
  deps: SettleItemsDeps,
  items: readonly DecodedItem[],
): Promise<readonly JudgedItem[]> {
  const { facts, prices } = deps;
  await facts.load(items.map((item) => item.accountId).filter(isAccountId));
  await prices.load(items.map((item) => item.priceSnapshotId).filter((id) => id.length === 32));
  const nowMs = deps.clock.nowMs();
  return items.map((item) => {
    const account = facts.get(item.accountId);
    const fault = judgeItem(item, { account, price: prices.get(item.priceSnapshotId), nowMs });
    return { item, fault, key: item.id.length === 32 ? item.id : hash("sha256", item.encoded) };
  });
}

async function settleOrHalve(
  deps: SettleItemsDeps,
  judged: readonly JudgedItem[],
): Promise<readonly SettleStatus[]> {
  if (judged.length > 1 && bytesOf(judged) > encodedBytesMax) {
    const half = judged.length >>> 1;
    const first = await settleOrHalve(deps, judged.slice(0, half));
    return [...first, ...(await settleOrHalve(deps, judged.slice(half)))];
  }
  return halveAtFault(judged, {
    together: (some) => settleOnce(deps, some),
    alone: async (one, error) => {
      if (one.fault !== undefined) throw error;
      const fault = { reason: "INTERNAL", field: "" } as const;
      const [status = "DEAD_LETTERED"] = await settleOnce(deps, [{ ...one, fault }]);
      return status;
    },
    onHalved: (itemsCount, err) => deps.events.batchHalved({ itemsCount, err }),
  });
}

function bytesOf(judged: readonly JudgedItem[]): number {
  return judged.reduce((sum, { item }) => sum + item.encoded.length, 0);
}

/**
 * Of the items of one transaction. As SQL an item takes at most some ten times its own bytes, and a text may have 16 MiB with
 * the defaults of MariaDB (`max_allowed_packet`). Four thousand usual items stay below.
 */
const encodedBytesMax = 1 << 20;

/** Expects that no item was settled before, which an insert proves; only when it fails are the ids looked up. */
async function settleOnce(
  deps: SettleItemsDeps,
  judged: readonly JudgedItem[],
): Promise<readonly SettleStatus[]> {
  const batch = groupByAccount(judged, deps.facts, deps.oldestKeptDayMs());
  const startMs = deps.clock.monotonicMs();
  const run = (areMaybeSettled: boolean) =>
    inTransaction(deps.pool, (tx) => settleBatch(tx, deps, batch, areMaybeSettled));
  let plans: readonly SettlePlan[];
  try {
    plans = await run(batch.hasOld);
  } catch (error) {
    if (!isDuplicate(error) || batch.hasOld) throw error;
    plans = await run(true);
  }
  const statuses = statusesOf(judged.length, batch, plans);
  announce(deps, batch, { statuses, plans, elapsedMs: deps.clock.monotonicMs() - startMs });
  return statuses;
}

async function settleBatch(
  tx: PoolConnection,
  deps: SettleItemsDeps,
  batch: AccountBatch,
  areMaybeSettled: boolean,
): Promise<readonly SettlePlan[]> {
  const nowMs = deps.clock.nowMs();
  const worlds = await loadSettleWorlds(tx, batch.accounts, areMaybeSettled);
  const plans = batch.accounts.map((account, index) => {
    const world = worlds[index];
    if (world === undefined) throw new Error(`${account.accountId} has no world`);
    return planSettlement(world, account.items);
  });
  await savePlans(tx, plans, { nowMs, oldestKeptId: batch.oldestKeptId });
  await insertDeadLetters(tx, batch.strays, nowMs);
  return plans;
}

function statusesOf(
  count: number,
  batch: AccountBatch,
  plans: readonly SettlePlan[],
): readonly SettleStatus[] {
  // Items of no account stay as they are filled here.
  const statuses = new Array<SettleStatus>(count).fill("DEAD_LETTERED");
  batch.accounts.forEach((account, index) => {
    const planned = plans[index]?.statuses ?? [];
    account.positions.forEach((position, at) => {
      statuses[position] = planned[at] ?? "DEAD_LETTERED";
    });
  });
  return statuses;
}

function announce(
  deps: SettleItemsDeps,
  batch: AccountBatch,
  settled: Parameters<MoneyEvents["usageSettled"]>[0],
): void {
  deps.events.usageSettled(settled);
  for (const { key, held, ...letter } of batch.strays) {
    deps.events.itemDeadLettered({ ...letter, itemId: key, heldNanos: held });
  }
  for (const plan of settled.plans) {
    for (const { fault, held, key } of plan.deadLetters) {
      const { accountId } = plan;
      deps.events.itemDeadLettered({ accountId, itemId: key, ...fault, heldNanos: held });
    }
  }
}
