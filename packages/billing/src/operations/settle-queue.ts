import type { SettleStatus } from "../domain/settle-plan.ts";
import type { DecodedItem } from "../domain/usage-item.ts";
import { type BatchQueue, createBatchQueue } from "./batch-queue.ts";

/** Where the batches of all gateways meet, to be settled together. */
export type SettleQueue = BatchQueue<DecodedItem, SettleStatus>;

/**
 * Makes the queue of one process. Most of what a settlement costs is by account and not by item, so that batches which
 * wait for the database become one: under load it doubles what one database can take.
 */
export function createSettleQueue(deps: {
  readonly settle: (items: readonly DecodedItem[]) => Promise<readonly SettleStatus[]>;
}): SettleQueue {
  return createBatchQueue({ run: deps.settle, batchMax: 4000, runningMax: 2, waitingMax: 40_000 });
}
