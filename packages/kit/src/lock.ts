import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import Redlock, { ExecutionError, type Lock as RedlockLock, ResourceLockedError } from "redlock";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** A lock that was obtained. It protects nothing by itself: what it guards must be right without it. */
export type HeldLock = {
  /** Gives it back in the background; bounded, never throws, does nothing the second time. */
  release(): void;
  /** Milliseconds for which it surely still holds; 0 or less when it may have expired. */
  validForMs(): number;
};

/** Locks over Redis by Redlock. Never throws: not obtained in time, or Redis away, is `undefined` and a metric. */
export type Lock = {
  tryLock(key: string, signal?: AbortSignal): Promise<HeldLock | undefined>;
  /**
   * Tries each key on its own, side by side; the answer is in the order of the keys. Never one acquire of many keys,
   * which a single contended key would refuse as a whole.
   */
  tryLockMany(
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly (HeldLock | undefined)[]>;
  /** Waits for releases in flight. */
  drain(): Promise<void>;
};

export type LockOptions = {
  /** Independent Redis servers, an odd number; they stay the caller's to close. */
  readonly clients: readonly Redis[];
  /** How long a lock holds unless it is released. */
  readonly ttlMs: number;
  /** The hard bound on `tryLock`, however Redis behaves. */
  readonly waitMsMax: number;
  readonly log: Logger;
  readonly metrics: Metrics;
};

/** How far clocks may drift over a lock's life, as Redlock assumes, plus Redis' own millisecond and one of ours. */
const driftFactor = 0.01;
const driftMs = 2;

/** Releases in flight beyond this are left to expire. */
const releasesMax = 10_000;

type Outcome = "obtained" | "contended" | "unavailable" | "expired";
type Attempt = { readonly outcome: Outcome; readonly held?: HeldLock };

/**
 * Makes locks over `redlock`, whose own retry loop is not used: it can hang on a split vote, return a lock that has
 * expired, and wait hundreds of milliseconds on one contended key.
 */
export function createLock(options: LockOptions): Lock {
  if (options.clients.length % 2 === 0)
    throw new Error("locks need an odd number of Redis servers");
  const { ttlMs, waitMsMax, log } = options;
  const redlock = new Redlock(options.clients, { retryCount: 0, driftFactor });
  const releasing = new Set<Promise<unknown>>();
  const outcomes = options.metrics.counter({
    name: "lock_attempts_total",
    help: "Locks asked for, by outcome; everything but obtained goes on without the lock.",
    labels: ["outcome"],
  });
  let isAvailable = true;

  function giveBack(lock: RedlockLock): void {
    if (releasing.size >= releasesMax) return;
    const release = lock.release().catch(() => undefined);
    releasing.add(release);
    void release.then(() => releasing.delete(release));
  }

  async function attempt(key: string, boundMs: number): Promise<Attempt> {
    const startMs = performance.now();
    const acquiring = redlock.acquire([key], ttlMs);
    try {
      const lock = await within(acquiring, boundMs);
      if (lock === undefined) {
        acquiring.then(giveBack, () => undefined);
        return { outcome: "unavailable" };
      }
      const validUntilMs = startMs + ttlMs * (1 - driftFactor) - driftMs;
      if (validUntilMs <= performance.now()) {
        giveBack(lock);
        return { outcome: "expired" };
      }
      return { outcome: "obtained", held: hold(lock, validUntilMs, giveBack) };
    } catch (error) {
      return { outcome: (await isContended(error, boundMs)) ? "contended" : "unavailable" };
    }
  }

  async function tryLock(key: string, signal?: AbortSignal): Promise<HeldLock | undefined> {
    const deadlineMs = performance.now() + waitMsMax;
    let result: Attempt = { outcome: "contended" };
    let isSeenHeld = false;
    while (signal?.aborted !== true) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) break;
      result = await attempt(key, leftMs);
      if (result.outcome !== "contended") break;
      isSeenHeld = true;
      await sleep(Math.min(2 + Math.random() * 6, Math.max(0, deadlineMs - performance.now())));
    }
    // The last try of a wait may be cut off by its end; that says nothing about Redis.
    if (isSeenHeld && result.outcome === "unavailable") result = { outcome: "contended" };
    outcomes.inc({ outcome: result.outcome });
    if (isAvailable !== (result.outcome !== "unavailable")) {
      isAvailable = !isAvailable;
      if (isAvailable) log.info({ event: "lock.available" });
      else log.warn({ event: "lock.unavailable" });
    }
    return result.held;
  }

  return {
    tryLock,
    tryLockMany: (keys, signal) => Promise.all(keys.map((key) => tryLock(key, signal))),
    drain: async () => {
      await within(Promise.all(releasing), 1000);
    },
  };
}

function hold(
  lock: RedlockLock,
  validUntilMs: number,
  giveBack: (lock: RedlockLock) => void,
): HeldLock {
  let isHeld = true;
  return {
    release: () => {
      if (isHeld) giveBack(lock);
      isHeld = false;
    },
    validForMs: () => (isHeld ? validUntilMs - performance.now() : 0),
  };
}

/** True when somebody else holds the key; false when Redis did not answer. */
async function isContended(error: unknown, boundMs: number): Promise<boolean> {
  if (!(error instanceof ExecutionError)) return false;
  const votes = await within(Promise.all(error.attempts), boundMs);
  if (votes === undefined) return false;
  return votes.some(({ votesAgainst }) =>
    [...votesAgainst.values()].some((vote) => vote instanceof ResourceLockedError),
  );
}

/** The result, or undefined when it takes longer than the bound. */
async function within<T>(work: Promise<T>, boundMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), boundMs);
  });
  try {
    return await Promise.race([work, bound]);
  } finally {
    clearTimeout(timer);
  }
}
