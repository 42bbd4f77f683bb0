import { setTimeout as sleepFor } from "node:timers/promises";

/** Time, passed in so that tests can move it. */
export type Clock = {
  /** Milliseconds since 1970 by the wall; may jump. For what is written down. */
  nowMs(): number;
  /** Milliseconds that never run backwards, from an arbitrary start. For how long something took or may take. */
  monotonicMs(): number;
  /** Resolves after the time, or rejects with the signal's reason when that aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
};

/** The machine's own clocks. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    if (ms <= 0) return signal?.throwIfAborted();
    try {
      await sleepFor(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};
