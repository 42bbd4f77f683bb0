/** Something watched: its key, and a mark that changes whenever it shows a sign of life. */
export type Sighting = readonly [key: string, mark: string];

/** Tells for each sighting for how many milliseconds of watching its mark has not changed. */
export type SteadyWatch = (monotonicMs: number, sightings: Iterable<Sighting>) => SteadyTimes;

/** Milliseconds by key. */
export type SteadyTimes = ReadonlyMap<string, number>;

/**
 * Watches how long things stay as they are, by this process's own monotonic clock, so that no jump of a wall clock here
 * or elsewhere can end anything.
 *
 * Only time that was watched counts: a pause between two looks (this process was stopped, or the database was away, and
 * with it everything that could have been seen) counts as `gapMsMax` at most. A restart begins anew. Both make the watch
 * later than the truth, never earlier. What is not sighted in a look is forgotten.
 */
export function createSteadyWatch(gapMsMax: number): SteadyWatch {
  let seen = new Map<string, { readonly mark: string; readonly steadyMs: number }>();
  let lookMs: number | undefined;
  return (monotonicMs, sightings) => {
    const passedMs = lookMs === undefined ? 0 : Math.min(monotonicMs - lookMs, gapMsMax);
    lookMs = monotonicMs;
    const next: typeof seen = new Map();
    const steady = new Map<string, number>();
    for (const [key, mark] of sightings) {
      const before = seen.get(key);
      const steadyMs = before?.mark === mark ? before.steadyMs + passedMs : 0;
      next.set(key, { mark, steadyMs });
      steady.set(key, steadyMs);
    }
    seen = next;
    return steady;
  };
}
