import type { Clock } from "@farebox/kit/clock";
import type { Subscription } from "./fan-out.ts";

/** Waits until a watcher has something to hear, a time has passed, or the signal aborts, whichever comes first. */
export async function nextBeat(
  clock: Clock,
  subscription: Pick<Subscription<unknown>, "arrived">,
  wait: { readonly ms: number; readonly signal: AbortSignal },
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([wait.signal, over.signal]);
  const slept = clock.sleep(wait.ms, either).catch(() => undefined);
  await Promise.race([subscription.arrived(either), slept]);
  // Ends the loser: neither a timer nor a listener may outlive the wait.
  over.abort();
  await slept;
}
