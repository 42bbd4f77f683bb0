import type { Clock } from "@farebox/kit/clock";
import type { FreeQuotaRule } from "../domain/free-quota.ts";
import type { LiveCatalogue } from "../prices/live-catalogue.ts";
import type { CatalogueEntry } from "../prices/priced-catalogue.ts";
import { nextBeat } from "../watch/next-beat.ts";

export type WatchCatalogDeps = {
  readonly catalogue: Pick<LiveCatalogue, "current" | "freeQuotas" | "subscribe" | "currentToMs">;
  readonly clock: Clock;
};

/** A part of the catalogue, or of what changed in it; a heartbeat when it says nothing. */
export type CatalogPush = {
  readonly entries: readonly CatalogueEntry[];
  /** With this part, the gateway holds everything that was so far. */
  readonly isComplete: boolean;
  /** The gateway drops what it holds before this part. */
  readonly isReset: boolean;
  readonly freeQuotas: readonly FreeQuotaRule[];
};

const heartbeatMs = 1_000;
const entriesMax = 500;

/**
 * Pushes the whole catalogue, then every change, and at least every second that there is none. A gateway that lags too far
 * behind is sent everything again. While MySQL cannot be read there are no heartbeats: silence means that what the gateway
 * holds may be out of date.
 */
export async function* watchCatalog(
  deps: WatchCatalogDeps,
  signal: AbortSignal,
): AsyncGenerator<CatalogPush> {
  const { catalogue, clock } = deps;
  using subscription = catalogue.subscribe();
  yield* everything(deps);
  let toldUpToMs = catalogue.currentToMs();
  while (!signal.aborted) {
    await nextBeat(clock, subscription, { ms: heartbeatMs, signal });
    if (signal.aborted) return;
    const { events, isOverflown } = subscription.take();
    const currentToMs = catalogue.currentToMs();
    if (events.length === 0 && !isOverflown && currentToMs <= toldUpToMs) continue;
    toldUpToMs = currentToMs;
    if (isOverflown) yield* everything(deps);
    else {
      const entries = events.flatMap((event) => event.entries);
      const freeQuotas = events.findLast((event) => event.freeQuotas)?.freeQuotas ?? [];
      yield* inParts(entries, freeQuotas, false);
    }
  }
}

function* everything({ catalogue }: WatchCatalogDeps): Generator<CatalogPush> {
  yield* inParts(catalogue.current().entries, catalogue.freeQuotas(), true);
}

function* inParts(
  entries: readonly CatalogueEntry[],
  freeQuotas: readonly FreeQuotaRule[],
  isReset: boolean,
): Generator<CatalogPush> {
  for (let from = 0; from === 0 || from < entries.length; from += entriesMax) {
    yield {
      entries: entries.slice(from, from + entriesMax),
      isComplete: from + entriesMax >= entries.length,
      isReset: isReset && from === 0,
      freeQuotas: from === 0 ? freeQuotas : [],
    };
  }
}
