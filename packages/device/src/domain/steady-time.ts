/** How fast the time follows a wall clock that has jumped: half a millisecond a second, as NTP turns clocks. */
const slewPerMs = 0.0005;

/** What is remembered of the last reading. */
export type SteadyReading = { readonly timeMs: number; readonly monotonicMs: number };

/**
 * Milliseconds since 1970 that pass as real time does, whatever the wall clock's jumps: a jump would end terms at once, and bill
 * what was never delivered. It follows a wall clock that is ahead or behind by at most half a millisecond a second, and never
 * runs backwards.
 */
export function readSteady(
  last: SteadyReading,
  now: { readonly wallMs: number; readonly monotonicMs: number },
): SteadyReading {
  const passedMs = Math.max(0, now.monotonicMs - last.monotonicMs);
  const expectedMs = last.timeMs + passedMs;
  const mostMs = passedMs * slewPerMs;
  const turnMs = Math.min(mostMs, Math.max(-mostMs, now.wallMs - expectedMs));
  return { timeMs: expectedMs + turnMs, monotonicMs: now.monotonicMs };
}
