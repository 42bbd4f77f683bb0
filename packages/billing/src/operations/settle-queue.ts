import assert from "node:assert/strict";
import type { SettleStatus } from "../domain/settle-plan.ts";
import type { DecodedItem } from "../domain/usage-item.ts";
import { type BatchQueue, createBatchQueue } from "./batch-queue.ts";

/** Where the batches of all gateways meet, to be settled together. */
export type SettleQueue = BatchQueue<DecodedItem, SettleStatus>;

/** More would cut the batches smaller than they help. */
const lanesCount = 2;
const itemsMax = 4000;
const waitingMax = 160_000 / lanesCount;
/** Half a batch of a busy gateway's: it sends several, one after another, and the first is not to be settled alone. */
const parts = { fromItems: 400, waitMs: 100 } as const;

/**
 * Makes the queue of one process. Most of what a settlement costs is by account and not by item, so that batches which
 * wait for the database become one: under load it doubles what one database can take.
 *
 * Accounts are dealt to lanes of one transaction at a time each, so that those which run at once never wait for each other's
 * rows.
 */
export function createSettleQueue(deps: {
  readonly settle: (items: readonly DecodedItem[]) => Promise<readonly SettleStatus[]>;
}): SettleQueue {
  const lane = { run: deps.settle, batchMax: itemsMax, runningMax: 1, waitingMax, parts };
  const lanes = Array.from({ length: lanesCount }, () => createBatchQueue(lane));
  return {
    submit: async (items) => {
      const statuses = new Array<SettleStatus>(items.length);
      // When one lane fails the caller sends all of it again: what the others settled is then there already.
      await Promise.all(
        deal(items, lanes).map(async ({ queue, items: some, positions }) => {
          const answers = await queue.submit(some);
          assert.equal(answers.length, positions.length, "every item has a status");
          positions.forEach((position, at) => {
            statuses[position] = answers[at] as SettleStatus;
          });
        }),
      );
      return statuses;
    },
  };
}

type Dealt = {
  readonly queue: SettleQueue;
  readonly items: DecodedItem[];
  readonly positions: number[];
};

/** Items by lane, an account's always in the same. */
function deal(items: readonly DecodedItem[], lanes: readonly SettleQueue[]): readonly Dealt[] {
  const dealt = lanes.map((queue): Dealt => ({ queue, items: [], positions: [] }));
  items.forEach((item, position) => {
    const lane = dealt[laneOf(item.accountId)];
    assert(lane);
    lane.items.push(item);
    lane.positions.push(position);
  });
  return dealt;
}

/** By all of an account's characters: callers that create accounts by naming them choose these. */
function laneOf(accountId: string): number {
  let sum = 0;
  for (let at = 0; at < accountId.length; at++) sum += accountId.charCodeAt(at);
  return sum % lanesCount;
}
