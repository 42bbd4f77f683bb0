import type { SettleStatus } from "../domain/settle-plan.ts";
import type { DecodedItem } from "../domain/usage-item.ts";
import { type BatchQueue, createBatchQueue } from "./batch-queue.ts";

/** Where the batches of all gateways meet, to be settled together. */
export type SettleQueue = BatchQueue<DecodedItem, SettleStatus>;

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
  const lanes = Array.from({ length: lanesCount }, () =>
    createBatchQueue({ run: deps.settle, batchMax: 4000, runningMax: 1, waitingMax: 40_000 }),
  );
  return {
    submit: async (items) => {
      const dealt = deal(items);
      const statuses = new Array<SettleStatus>(items.length);
      const settleDealt = async ({ items: some, positions }: Dealt, lane: number) => {
        const answers = (await lanes[lane]?.submit(some)) ?? [];
        answers.forEach((status, at) => {
          statuses[positions[at] ?? 0] = status;
        });
      };
      // When one lane fails the caller sends all of it again: what the others settled is then there already.
      await Promise.all(dealt.map(settleDealt));
      return statuses;
    },
  };
}

type Dealt = { readonly items: DecodedItem[]; readonly positions: number[] };

/** Items by lane, an account's always in the same: its id ends at random. */
function deal(items: readonly DecodedItem[]): readonly Dealt[] {
  const dealt = Array.from({ length: lanesCount }, (): Dealt => ({ items: [], positions: [] }));
  items.forEach((item, position) => {
    const last = item.accountId.charCodeAt(item.accountId.length - 1) || 0;
    const lane = dealt[last % lanesCount];
    lane?.items.push(item);
    lane?.positions.push(position);
  });
  return dealt;
}

/** More would cut the batches smaller than they help. */
const lanesCount = 2;
