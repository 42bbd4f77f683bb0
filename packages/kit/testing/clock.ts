import type { Clock } from "../src/clock.ts";

/** A clock that stands still until it is advanced. */
export type FakeClock = Clock & {
  /** Moves time forward, waking sleepers one by one in order of their time and letting each run on before the next. */
  advance(ms: number): Promise<void>;
  /** Moves only the wall clock, as a machine's clock may jump. */
  jumpWall(ms: number): void;
  /** How many sleepers wait. */
  sleeping(): number;
};

type Sleeper = { readonly dueMs: number; readonly wake: () => void };

export function fakeClock(startMs = 1_800_000_000_000): FakeClock {
  let wallMs = startMs;
  let monotonicMs = 0;
  const sleepers = new Set<Sleeper>();

  function nextDue(untilMs: number): Sleeper | undefined {
    let next: Sleeper | undefined;
    for (const sleeper of sleepers) {
      if (sleeper.dueMs <= untilMs && (next === undefined || sleeper.dueMs < next.dueMs)) {
        next = sleeper;
      }
    }
    return next;
  }

  function moveTo(ms: number): void {
    wallMs += ms - monotonicMs;
    monotonicMs = ms;
  }

  return {
    nowMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason);
        if (ms <= 0) return resolve();
        const onAbort = () => {
          sleepers.delete(sleeper);
          reject(signal?.reason);
        };
        const wake = () => {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", onAbort);
          resolve();
        };
        const sleeper: Sleeper = { dueMs: monotonicMs + ms, wake };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", onAbort, { once: true });
      }),
    advance: async (ms) => {
      const untilMs = monotonicMs + ms;
      await settle();
      for (let next = nextDue(untilMs); next !== undefined; next = nextDue(untilMs)) {
        moveTo(next.dueMs);
        next.wake();
        await settle();
      }
      moveTo(untilMs);
    },
    jumpWall: (ms) => {
      wallMs += ms;
    },
    sleeping: () => sleepers.size,
  };
}

/** Lets everything run that waits for promises only. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
