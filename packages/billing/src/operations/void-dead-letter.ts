import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { inTransaction, type Pool } from "@farebox/kit/mysql";
import type { DeadLetter } from "../domain/dead-letter.ts";
import type { DecodedItem } from "../domain/usage-item.ts";
import { expireCredit, lockDeadLetterMoney, releaseMoney } from "../store/dead-letter-money.ts";
import { closeDeadLetter, readDeadLetter } from "../store/dead-letter-store.ts";
import { endClaims } from "../store/end-claims.ts";

export type VoidDeadLetterDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  /** Throws for bytes that are no item at all. */
  readonly decodeItem: (encoded: Uint8Array) => DecodedItem;
};

/**
 * Gives an item up: nothing is charged, what is held for it returns to its account, and the client may send its request
 * again.
 *
 * Errors: DEAD_LETTER_NOT_FOUND, DEAD_LETTER_CLOSED, UNAVAILABLE.
 */
export async function voidDeadLetter(deps: VoidDeadLetterDeps, id: string): Promise<DeadLetter> {
  const { pool } = deps;
  const found = await readDeadLetter(pool, id);
  if (found === undefined) throw new AppError("DEAD_LETTER_NOT_FOUND");
  return inTransaction(pool, async (tx) => {
    const letter = (await lockDeadLetterMoney(tx, found))?.letter;
    if (letter?.state !== "OPEN") throw new AppError("DEAD_LETTER_CLOSED");
    const nowMs = deps.clock.nowMs();
    await releaseMoney(tx, letter);
    await expireCredit(tx, letter.accountId, nowMs);
    await endClaims(tx, claimsOf(deps, letter));
    await closeDeadLetter(tx, id, "VOIDED", new Date(nowMs));
    return { ...letter, state: "VOIDED", held: 0n };
  });
}

/** The attempt as one that cost nothing, when it held a client's request id. */
function claimsOf(deps: VoidDeadLetterDeps, letter: DeadLetter): DecodedItem[] {
  const item = decodeOrNot(deps, letter.item);
  if (item?.claimed !== true || item.accountId !== letter.accountId) return [];
  return [{ ...item, costNanos: 0n, freeUnits: 0 }];
}

/** Bytes that are no item may be the very reason why they were put aside. */
function decodeOrNot(deps: VoidDeadLetterDeps, encoded: Uint8Array): DecodedItem | undefined {
  try {
    return deps.decodeItem(encoded);
  } catch {
    return undefined;
  }
}
