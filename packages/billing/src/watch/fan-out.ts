/** Hands events to every watcher of a process, each with a bounded queue of its own: a slow one never holds up the rest. */
export type FanOut<T> = {
  /** Gives an event to every watcher. One whose queue is full loses all that is queued, and is told so. */
  publish(event: T): void;
  /** Begins to queue events from now on. Close it, or its queue stays. */
  subscribe(): Subscription<T>;
  watchersCount(): number;
};

/** One watcher's queue. */
export type Subscription<T> = Disposable & {
  /** Takes what is queued. `isOverflown` once after events were lost. */
  take(): { readonly events: readonly T[]; readonly isOverflown: boolean };
  /** Resolves when something is queued or was lost, at once if it is so already; or when the signal aborts. */
  arrived(signal: AbortSignal): Promise<void>;
};

/** Makes a fan-out whose watchers may lag by so many events. */
export function createFanOut<T>(queuedMax: number): FanOut<T> {
  const queues = new Set<Queue<T>>();
  return {
    publish: (event) => {
      for (const queue of queues) push(queue, event, queuedMax);
    },
    subscribe: () => {
      const queue: Queue<T> = { events: [], isOverflown: false, wake: () => undefined };
      queues.add(queue);
      return {
        take: () => {
          const { events, isOverflown } = queue;
          queue.events = [];
          queue.isOverflown = false;
          return { events, isOverflown };
        },
        arrived: (signal) => arrivedIn(queue, signal),
        [Symbol.dispose]: () => void queues.delete(queue),
      };
    },
    watchersCount: () => queues.size,
  };
}

type Queue<T> = { events: T[]; isOverflown: boolean; wake: () => void };

function push<T>(queue: Queue<T>, event: T, queuedMax: number): void {
  if (queue.events.length >= queuedMax) {
    queue.events = [];
    queue.isOverflown = true;
  } else if (!queue.isOverflown) {
    queue.events.push(event);
  }
  queue.wake();
}

function arrivedIn<T>(queue: Queue<T>, signal: AbortSignal): Promise<void> {
  if (queue.events.length > 0 || queue.isOverflown || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener("abort", done);
      queue.wake = () => undefined;
      resolve();
    };
    queue.wake = done;
    signal.addEventListener("abort", done, { once: true });
  });
}
