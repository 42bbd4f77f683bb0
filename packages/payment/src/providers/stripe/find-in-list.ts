import { systemClock } from "@farebox/kit/clock";

/** A hundred pages of Stripe's. */
const objectsMax = 10_000;
const msMax = 30_000;

/**
 * Looks through a list of Stripe's for an object. UNCERTAIN when there was more of it than is looked through, by number or by
 * time: what was not found may be there all the same.
 */
export async function findInList<T>(
  list: AsyncIterable<T>,
  matches: (object: T) => boolean,
): Promise<T | undefined | "UNCERTAIN"> {
  const endMs = systemClock.monotonicMs() + msMax;
  let seen = 0;
  for await (const object of list) {
    if (matches(object)) return object;
    seen += 1;
    if (seen >= objectsMax || systemClock.monotonicMs() > endMs) return "UNCERTAIN";
  }
  return undefined;
}
