import type { AskAnswer } from "../domain/grant-plan.ts";
import { type BatchQueue, createBatchQueue } from "./batch-queue.ts";
import type { SubmittedAsk } from "./grant-asks.ts";

/** Where asks of all callers meet, to be granted together. */
export type AskQueue = BatchQueue<SubmittedAsk, AskAnswer>;

/** Makes the queue of one process: 500 unary asks that arrive at once are a transaction or two. */
export function createAskQueue(deps: {
  readonly grant: (asks: readonly SubmittedAsk[]) => Promise<readonly AskAnswer[]>;
}): AskQueue {
  return createBatchQueue({ run: deps.grant, batchMax: 2000, runningMax: 4, waitingMax: 20_000 });
}
