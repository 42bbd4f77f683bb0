import type { Clock } from "@farebox/kit/clock";
import type { Logger } from "@farebox/kit/logger";
import type { Account } from "../domain/account.ts";
import type { ResolvedKey } from "../operations/resolve-api-keys.ts";
import { createFanOut, type Subscription } from "./fan-out.ts";

/** What changed between two polls. `isResync` when there was too much to tell. */
export type AccessChange = {
  readonly keys: readonly ResolvedKey[];
  readonly accounts: readonly Account[];
  readonly isResync: boolean;
};

/** Reads what changed at or after an instant; undefined when there is more than the bound. */
export type ReadAccessChanges = (sinceMs: number) => Promise<AccessSince | undefined>;

export type AccessSince = {
  readonly keys: readonly (ResolvedKey & { readonly updateTimeMs: number })[];
  readonly accounts: readonly { readonly account: Account; readonly updateTimeMs: number }[];
};

/** The changes of keys and accounts, for every stream of this process from one poller. */
export type AccessFeed = AsyncDisposable & {
  subscribe(): Subscription<AccessChange>;
  /** By the monotonic clock, when the last poll that succeeded began: all that was committed by then has been told. */
  currentToMs(): number;
};

const pollMs = 200;
/**
 * How far back each poll looks again: a row's update time is set before its transaction commits, by another process whose
 * clock may differ. What was told already is not told twice.
 */
const overlapMs = 10_000;
const queuedMax = 1_000;

/** Opens the feed. It polls only while somebody watches. */
export function openAccessFeed(deps: {
  readonly readChanges: ReadAccessChanges;
  readonly clock: Clock;
  readonly log: Logger;
}): AccessFeed {
  const { clock } = deps;
  const fanOut = createFanOut<AccessChange>(queuedMax);
  const closing = new AbortController();
  const told = new Map<string, number>();
  let currentToMs = Number.NEGATIVE_INFINITY;
  let readUpToMs = clock.nowMs();
  let polling: Promise<void> | undefined;

  async function pollOnce(): Promise<void> {
    const beganMs = clock.monotonicMs();
    const nowMs = clock.nowMs();
    const since = Math.min(readUpToMs, nowMs) - overlapMs;
    const found = await deps.readChanges(since);
    const change = found ? untold(told, found, since) : tooMuch;
    if (change.isResync || change.keys.length + change.accounts.length > 0) fanOut.publish(change);
    readUpToMs = nowMs;
    currentToMs = beganMs;
  }

  async function pollWhileWatched(): Promise<void> {
    while (fanOut.watchersCount() > 0 && !closing.signal.aborted) {
      try {
        await pollOnce();
      } catch (err) {
        deps.log.warn({ event: "access.poll_failed", err });
      }
      await clock.sleep(pollMs, closing.signal).catch(() => undefined);
    }
    polling = undefined;
  }

  return {
    subscribe: () => {
      const subscription = fanOut.subscribe();
      polling ??= pollWhileWatched();
      return subscription;
    },
    currentToMs: () => currentToMs,
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await polling;
    },
  };
}

const tooMuch: AccessChange = { keys: [], accounts: [], isResync: true };

/** What was not told before, by the name and update time of each. */
function untold(told: Map<string, number>, found: AccessSince, sinceMs: number): AccessChange {
  for (const [name, updateTimeMs] of told) if (updateTimeMs < sinceMs) told.delete(name);
  const isNew = (name: string, updateTimeMs: number) => {
    if (told.get(name) === updateTimeMs) return false;
    told.set(name, updateTimeMs);
    return true;
  };
  return {
    keys: found.keys.filter((it) =>
      isNew(`key ${Buffer.from(it.apiKey.id).toString("hex")}`, it.updateTimeMs),
    ),
    accounts: found.accounts
      .filter((it) => isNew(`account ${it.account.id}`, it.updateTimeMs))
      .map((it) => it.account),
    isResync: false,
  };
}
