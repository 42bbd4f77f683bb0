import type { Clock } from "@farebox/kit/clock";
import type { AccessChange, AccessFeed } from "../watch/access-feed.ts";
import { nextBeat } from "../watch/next-beat.ts";

export type WatchAccessDeps = { readonly accessFeed: AccessFeed; readonly clock: Clock };

const heartbeatMs = 500;

/**
 * Tells a gateway what changed, and at least every 500 ms that nothing else has. Begins by asking it to resolve all its
 * keys anew, and does so again when it lags too far behind. While MySQL cannot be read there are no heartbeats: silence
 * means that what the gateway knows may be out of date.
 */
export async function* watchAccess(
  deps: WatchAccessDeps,
  signal: AbortSignal,
): AsyncGenerator<AccessChange> {
  const { accessFeed, clock } = deps;
  using subscription = accessFeed.subscribe();
  let toldUpToMs = clock.monotonicMs();
  yield { keys: [], accounts: [], isResync: true };
  while (!signal.aborted) {
    await nextBeat(clock, subscription, { ms: heartbeatMs, signal });
    if (signal.aborted) return;
    const { events, isOverflown } = subscription.take();
    const currentToMs = accessFeed.currentToMs();
    if (events.length === 0 && !isOverflown && currentToMs <= toldUpToMs) continue;
    toldUpToMs = currentToMs;
    yield {
      keys: events.flatMap((event) => event.keys),
      accounts: events.flatMap((event) => event.accounts),
      isResync: isOverflown || events.some((event) => event.isResync),
    };
  }
}
