/** Tells how fast a count has grown. Rates are per second, 0 before there is anything to tell. */
export type RateMeter = {
  /** Notes how far the count is now. */
  note(count: number): void;
  /** The fastest second. */
  readonly peak: number;
  /** From the first note that was not zero to the last that was any different. */
  readonly mean: number;
};

type Reading = { readonly atMs: number; readonly count: number };

const windowMs = 1_000;

/** Makes a meter that reads the time in milliseconds from `now`. */
export function rateMeter(now: () => number): RateMeter {
  // Those of the last second, and the one before it.
  const recent: Reading[] = [];
  let first: Reading | undefined;
  let last: Reading | undefined;
  let peak = 0;
  return {
    note: (count) => {
      const reading = { atMs: now(), count };
      if (count > 0) first ??= reading;
      if (count !== last?.count) last = reading;
      recent.push(reading);
      while ((recent[1]?.atMs ?? reading.atMs) <= reading.atMs - windowMs) recent.shift();
      const [oldest] = recent;
      if (oldest === undefined || reading.atMs - oldest.atMs < windowMs) return;
      peak = Math.max(peak, perSecond(oldest, reading));
    },
    get peak() {
      return peak;
    },
    get mean() {
      return first === undefined || last === undefined ? 0 : perSecond(first, last);
    },
  };
}

function perSecond(from: Reading, to: Reading): number {
  const elapsedMs = to.atMs - from.atMs;
  return elapsedMs <= 0 ? 0 : ((to.count - from.count) * 1_000) / elapsedMs;
}
