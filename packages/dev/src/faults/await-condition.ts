import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 40;

/**
 * Waits until `look` answers something other than undefined or false, and returns it. Looks that throw count as not yet: the
 * thing looked at may be down on purpose. Throws with what was awaited, and why the last look failed, after `timeoutMs`.
 */
export async function awaitCondition<T>(
  what: string,
  look: () => Promise<T | false | undefined> | T | false | undefined,
  timeoutMs = 30_000,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  let why = "";
  do {
    const startedMs = performance.now();
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      why = "";
    } catch (error) {
      why = `: ${error instanceof Error ? error.message : error}`;
    }
    await sleep(Math.max(pollMs, performance.now() - startedMs));
  } while (performance.now() < deadlineMs);
  throw new Error(`${what} did not come to pass within ${timeoutMs} ms${why}`);
}
