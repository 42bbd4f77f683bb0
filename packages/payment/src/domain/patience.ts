/** Stripe forgets idempotency keys after 24 hours; from an hour before, a thing is looked for instead of asked for again. */
export const keyMsMax = 23 * 3_600_000;
/** A key repeats a 500 as well: after so many attempts a thing is also looked for, as it may have been done all the same. */
export const keyAttemptsMax = 3;
/** For so long whoever asked for something has the first turn at the provider; then the janitor takes it up. */
export const ownTurnMs = 10_000;

const hourMs = 3_600_000;

/** When an attempt that settled nothing is made again: after a second, then ever later, an hour at most. */
export function retryDelayMs(attempts: number): number {
  return Math.min(hourMs, 1_000 * 2 ** Math.min(attempts, 12));
}

/**
 * When something that waits for its payer is looked at again. A webhook usually says so first; should it be lost, looks come
 * ever later with the age of the thing: 15 seconds at first, an hour at most.
 */
export function nextLookMs(createTimeMs: number, nowMs: number): number {
  return nowMs + Math.min(hourMs, Math.max(15_000, (nowMs - createTimeMs) / 2));
}
