import type { Pool } from "@farebox/kit/mysql";
import { countOpenDeadLetters } from "../store/dead-letter-store.ts";

export type CountDeadLettersDeps = {
  readonly pool: Pool;
  readonly events: { deadLettersCounted(count: number): void };
};

const countMax = 10_000;

/** Tells how many dead letters wait for an operator, up to a bound: an alarm while there are any. */
export async function countDeadLetters(deps: CountDeadLettersDeps): Promise<void> {
  deps.events.deadLettersCounted(await countOpenDeadLetters(deps.pool, countMax));
}
