/** Somebody who waits for room. */
export type Waiting = {
  readonly id: string;
  readonly priority: number;
  readonly sinceMs: number;
};

const minuteMs = 60_000;
/** After this long nobody is let past, so that a large device is not starved by small ones. */
const patienceMs = 10 * minuteMs;
/** And for so long: one that finds no room then lets others past again. */
const holdUpMs = 60 * minuteMs;

/** Who goes first: the highest priority, where every minute of waiting counts as one; of equals, who came first. */
export function queueOrder<T extends Waiting>(waiting: readonly T[], nowMs: number): readonly T[] {
  const rank = ({ priority, sinceMs }: Waiting) => priority + (nowMs - sinceMs) / minuteMs;
  return waiting.toSorted(
    (a, b) => rank(b) - rank(a) || a.sinceMs - b.sinceMs || (a.id < b.id ? -1 : 1),
  );
}

/** Whether those behind somebody who finds no room must wait with it. */
export function holdsUpOthers({ sinceMs }: Waiting, nowMs: number): boolean {
  const waitedMs = nowMs - sinceMs;
  return waitedMs >= patienceMs && waitedMs < patienceMs + holdUpMs;
}
