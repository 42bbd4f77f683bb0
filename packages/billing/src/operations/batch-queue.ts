import { AppError } from "@farebox/kit/app-error";

/** Where work meets that arrives at about the same time, to be done by one transaction. */
export type BatchQueue<In, Out> = {
  /**
   * Resolves with one result per item, in their order. Errors: UNAVAILABLE when too much waits; whatever `run` throws,
   * for all whose items were in the same batch.
   */
  submit(items: readonly In[]): Promise<readonly Out[]>;
};

export type BatchQueueDeps<In, Out> = {
  readonly run: (items: readonly In[]) => Promise<readonly Out[]>;
  /** A batch is closed when it has so many items; what was submitted together stays together. */
  readonly batchMax: number;
  /** Batches at once, so that an account that is locked does not hold up all others. */
  readonly runningMax: number;
  /**
   * What comes in parts is gathered: so many items are seldom all, and so long is waited for the rest. Left out, nothing is
   * waited for.
   */
  readonly parts?: { readonly fromItems: number; readonly waitMs: number };
  /** Items that may wait. */
  readonly waitingMax: number;
};

/**
 * Makes an empty queue. Work waits until the end of the turn it came in, so that neighbours share a transaction, and
 * longer only for the rest of what comes in parts and while all transactions are busy: the busier the database, the larger the batches and the less each costs.
 */
export function createBatchQueue<In, Out>(deps: BatchQueueDeps<In, Out>): BatchQueue<In, Out> {
  const { batchMax, runningMax, waitingMax, parts } = deps;
  const waiting: Waiting<In, Out>[] = [];
  let waitingItems = 0;
  let running = 0;
  let isScheduled = false;

  const schedule = () => {
    if (isScheduled || running >= runningMax || waiting.length === 0) return;
    isScheduled = true;
    const comesInParts = parts !== undefined && waitingItems >= parts.fromItems;
    if (comesInParts && waitingItems < batchMax) setTimeout(start, parts.waitMs);
    else setImmediate(start);
  };
  const start = () => {
    isScheduled = false;
    const batch = takeBatch(waiting, batchMax);
    if (batch.length === 0) return;
    for (const { items } of batch) waitingItems -= items.length;
    running += 1;
    void runBatch(deps, batch).finally(() => {
      running -= 1;
      schedule();
    });
    schedule();
  };
  return {
    submit: (items) => {
      if (items.length === 0) return Promise.resolve([]);
      if (waitingItems + items.length > waitingMax && waitingItems > 0) {
        return Promise.reject(new AppError("UNAVAILABLE", undefined, { retryAfterMs: 100 }));
      }
      waitingItems += items.length;
      return new Promise((resolve, reject) => {
        waiting.push({ items, resolve, reject });
        schedule();
      });
    },
  };
}

type Waiting<In, Out> = {
  readonly items: readonly In[];
  readonly resolve: (results: readonly Out[]) => void;
  readonly reject: (error: unknown) => void;
};

function takeBatch<In, Out>(waiting: Waiting<In, Out>[], batchMax: number): Waiting<In, Out>[] {
  let count = 0;
  let taken = 0;
  for (const { items } of waiting) {
    if (taken > 0 && count + items.length > batchMax) break;
    count += items.length;
    taken += 1;
  }
  return waiting.splice(0, taken);
}

/** Never rejects: what goes wrong is the waiters' to hear. */
async function runBatch<In, Out>(
  deps: BatchQueueDeps<In, Out>,
  batch: readonly Waiting<In, Out>[],
): Promise<void> {
  try {
    const results = await deps.run(batch.flatMap((waiter) => waiter.items));
    let start = 0;
    for (const waiter of batch) {
      waiter.resolve(results.slice(start, start + waiter.items.length));
      start += waiter.items.length;
    }
  } catch (error) {
    for (const waiter of batch) waiter.reject(error);
  }
}
