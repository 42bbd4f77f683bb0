/** Replies in the order of what they answer, each begun before the ones ahead of it are done; bounded. */
export type ReplyQueue<T> = {
  /** Resolves when a reply may be added: the backpressure of whoever reads the replies. Rejects when the signal aborts. */
  room(signal: AbortSignal): Promise<void>;
  /** Adds a reply. `work` begins at once and is told when everything ahead of it is done. */
  add(work: (ahead: Promise<unknown>) => Promise<T>): void;
  /** Ends the queue behind what it holds, with an error or without. */
  close(error?: unknown): void;
  /** The replies. Throws the first error, in order. */
  replies(): AsyncGenerator<T, void>;
  /** Resolves when no work is in flight. Never rejects. */
  settled(): Promise<void>;
};

/** Makes an empty queue that holds at most `max` replies not yet taken. */
export function createReplyQueue<T>(max: number): ReplyQueue<T> {
  const held: Promise<T>[] = [];
  let closing: { readonly error: unknown } | undefined;
  let changed = Promise.withResolvers<void>();
  const notify = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  return {
    room: async (signal) => {
      while (held.length >= max) await orAborted(changed.promise, signal);
    },
    add: (work) => {
      const reply = work(Promise.allSettled(held));
      // Its error is thrown when its turn comes; until then nobody listens.
      reply.catch(() => undefined);
      held.push(reply);
      notify();
    },
    close: (error) => {
      closing ??= { error };
      notify();
    },
    settled: async () => {
      await Promise.allSettled(held);
    },
    async *replies() {
      for (;;) {
        const head = held[0];
        if (head !== undefined) {
          yield await head;
          held.shift();
          notify();
        } else if (closing === undefined) {
          await changed.promise;
        } else if (closing.error === undefined) {
          return;
        } else {
          throw closing.error;
        }
      }
    },
  };
}

/** Resolves as the promise does, or rejects with the signal's reason as soon as that aborts. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
