import { AppError } from "@farebox/kit/app-error";
import { inTransaction, type PoolConnection } from "@farebox/kit/mysql";
import type { DeadLetter } from "../domain/dead-letter.ts";
import { type ItemFault, judgeItem } from "../domain/judge-item.ts";
import { planSettlement } from "../domain/settle-plan.ts";
import { uuidFloorHex } from "../domain/usage-day.ts";
import type { DecodedItem } from "../domain/usage-item.ts";
import {
  expireCredit,
  lockDeadLetterMoney,
  releaseMoney,
  returnMoneyToLease,
} from "../store/dead-letter-money.ts";
import { closeDeadLetter, readDeadLetter } from "../store/dead-letter-store.ts";
import { type ItemsOfAccount, loadSettleWorlds } from "../store/load-settle-worlds.ts";
import { savePlans } from "../store/save-plans.ts";
import type { SettleItemsDeps } from "./settle-items.ts";

export type ReplayDeadLetterDeps = Omit<SettleItemsDeps, "events"> & {
  /** Throws for bytes that are no item at all. */
  readonly decodeItem: (encoded: Uint8Array) => DecodedItem;
};

/**
 * Settles an item that was put aside, once its cause is mended. What is held for it pays first: through its lease while
 * that lives, else it returns to the account in the same transaction and the item is charged as any late one.
 *
 * An item that was charged all the same under its id (by a gateway that sent it mended) is a duplicate: its money is
 * returned and nothing is charged.
 *
 * Errors: DEAD_LETTER_NOT_FOUND, DEAD_LETTER_CLOSED, the reason that still stops it, UNAVAILABLE; in all of these nothing
 * has changed.
 */
export async function replayDeadLetter(
  deps: ReplayDeadLetterDeps,
  id: string,
): Promise<DeadLetter> {
  const found = await readDeadLetter(deps.pool, id);
  if (found === undefined) throw new AppError("DEAD_LETTER_NOT_FOUND");
  if (found.state !== "OPEN") throw new AppError("DEAD_LETTER_CLOSED");
  const account = await judgedAgain(deps, found);
  return inTransaction(deps.pool, async (tx) => {
    const locked = await lockDeadLetterMoney(tx, found);
    if (locked?.letter.state !== "OPEN") throw new AppError("DEAD_LETTER_CLOSED");
    const { letter, isLeaseLive } = locked;
    if (isLeaseLive) await returnMoneyToLease(tx, letter);
    else await releaseMoney(tx, letter);
    await settleAgain(tx, deps, account);
    const nowMs = deps.clock.nowMs();
    await expireCredit(tx, letter.accountId, nowMs);
    await closeDeadLetter(tx, id, "REPLAYED", new Date(nowMs));
    return { ...letter, state: "REPLAYED", held: 0n };
  });
}

/** The item and its account, when nothing stops it any more. */
async function judgedAgain(
  deps: ReplayDeadLetterDeps,
  letter: DeadLetter,
): Promise<ItemsOfAccount> {
  const item = decode(deps, letter);
  await deps.facts.load([item.accountId]);
  await deps.prices.load(item.priceSnapshotId.length === 32 ? [item.priceSnapshotId] : []);
  const facts = deps.facts.get(item.accountId);
  const price = deps.prices.get(item.priceSnapshotId);
  const fault = judgeItem(item, { account: facts, price, nowMs: deps.clock.nowMs() });
  if (fault !== undefined) throw refusal(fault);
  if (facts === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  return { accountId: item.accountId, facts, items: [{ item, fault: undefined, key: item.id }] };
}

async function settleAgain(
  tx: PoolConnection,
  deps: ReplayDeadLetterDeps,
  account: ItemsOfAccount,
): Promise<void> {
  const [world] = await loadSettleWorlds(tx, [account], true);
  if (world === undefined) throw new AppError("ACCOUNT_NOT_FOUND");
  // This very letter must not stop its own replay.
  const plan = planSettlement({ ...world, deadKeys: new Set() }, account.items);
  const [stillDead] = plan.deadLetters;
  if (stillDead !== undefined) throw refusal(stillDead.fault);
  const nowMs = deps.clock.nowMs();
  await savePlans(tx, [plan], { nowMs, oldestKeptId: uuidFloorHex(deps.oldestKeptDayMs()) });
}

function decode(deps: ReplayDeadLetterDeps, letter: DeadLetter): DecodedItem {
  try {
    return deps.decodeItem(letter.item);
  } catch (cause) {
    throw new AppError("INVALID_ARGUMENT", "The item is not readable.", { cause });
  }
}

function refusal({ reason, field }: ItemFault): AppError {
  return new AppError(reason, undefined, field === "" ? {} : { metadata: { field } });
}
