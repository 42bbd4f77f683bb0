import { AppError } from "@farebox/kit/app-error";
import type { AskAnswer } from "../domain/grant-plan.ts";
import type { SubmittedAsk } from "./grant-asks.ts";

/** Where asks meet that arrive at about the same time, to be granted by one transaction. */
export type AskQueue = {
  /** Resolves with the answer. Errors: UNAVAILABLE when too many wait, or the database does not answer. */
  submit(ask: SubmittedAsk): Promise<AskAnswer>;
};

export type AskQueueDeps = {
  readonly grant: (asks: readonly SubmittedAsk[]) => Promise<readonly AskAnswer[]>;
  /** Asks in one transaction. Default 500. */
  readonly batchMax?: number;
  /** Transactions at once, so that an account that is locked does not hold up all others. Default 4. */
  readonly runningMax?: number;
  /** Asks that may wait. Default 20000. */
  readonly waitingMax?: number;
};

/**
 * Makes an empty queue. An ask waits until the end of the turn it came in, so that neighbours share its transaction, and
 * longer only while all transactions are busy: the busier the database, the larger the batches.
 */
export function createAskQueue(deps: AskQueueDeps): AskQueue {
  const { batchMax = 500, runningMax = 4, waitingMax = 20_000 } = deps;
  const waiting: Waiting[] = [];
  let running = 0;
  let isScheduled = false;

  const schedule = () => {
    if (isScheduled || running >= runningMax || waiting.length === 0) return;
    isScheduled = true;
    setImmediate(start);
  };
  const start = () => {
    isScheduled = false;
    const batch = waiting.splice(0, batchMax);
    if (batch.length === 0) return;
    running += 1;
    void answerBatch(deps, batch).finally(() => {
      running -= 1;
      schedule();
    });
    schedule();
  };
  return {
    submit: (ask) => {
      if (waiting.length >= waitingMax) {
        return Promise.reject(new AppError("UNAVAILABLE", undefined, { retryAfterMs: 100 }));
      }
      return new Promise((resolve, reject) => {
        waiting.push({ ask, resolve, reject });
        schedule();
      });
    },
  };
}

type Waiting = {
  readonly ask: SubmittedAsk;
  readonly resolve: (answer: AskAnswer) => void;
  readonly reject: (error: unknown) => void;
};

/** Never rejects: what goes wrong is the waiters' to hear. */
async function answerBatch(deps: AskQueueDeps, batch: readonly Waiting[]): Promise<void> {
  try {
    const answers = await deps.grant(batch.map((waiter) => waiter.ask));
    batch.forEach((waiter, index) => {
      const answer = answers[index];
      if (answer === undefined) waiter.reject(new Error("an ask was not answered"));
      else waiter.resolve(answer);
    });
  } catch (error) {
    for (const waiter of batch) waiter.reject(error);
  }
}
