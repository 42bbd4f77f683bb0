import type { PoolConnection } from "@farebox/kit/mysql";
import { release } from "../domain/balance-moves.ts";
import type { DeadLetter } from "../domain/dead-letter.ts";
import { expireDue } from "../domain/expire-due.ts";
import { isLive } from "../domain/lease.ts";
import { lockDeadLetter } from "./dead-letter-store.ts";
import { inOneTrip } from "./in-one-trip.ts";
import { lockLeases } from "./lock-leases.ts";
import { lockWallets } from "./lock-wallets.ts";
import { moveWallets } from "./move-wallets.ts";
import { lockOpenGrants } from "./open-grant-store.ts";
import { saveExpiries } from "./save-grants.ts";

/** A dead letter whose lease, wallet and own row are locked. */
export type LockedDeadLetter = {
  readonly letter: DeadLetter;
  /** Whether its lease, if it has one, still covers usage. */
  readonly isLeaseLive: boolean;
};

/** Locks a dead letter and all that its money touches, in the order that every transaction keeps. */
export async function lockDeadLetterMoney(
  tx: PoolConnection,
  letter: DeadLetter,
): Promise<LockedDeadLetter | undefined> {
  const { accountId, leaseId } = letter;
  const leases = leaseId === "" ? undefined : await lockLeases(tx, [{ accountId, id: leaseId }]);
  await lockWallets(tx, [accountId]);
  const locked = await lockDeadLetter(tx, letter.id);
  if (locked === undefined) return undefined;
  const lease = leases?.get(accountId)?.get(leaseId);
  return { letter: locked, isLeaseLive: lease !== undefined && isLive(lease.state) };
}

/** Gives what is held for a dead letter back to its live lease, which can then pay with it. */
export async function returnMoneyToLease(tx: PoolConnection, letter: DeadLetter): Promise<void> {
  if (letter.held === 0n) return;
  await tx.query(
    "UPDATE lease SET dead_lettered = dead_lettered - ? WHERE account_id = ? AND id = ?",
    [letter.held, letter.accountId, Buffer.from(letter.leaseId, "hex")],
  );
}

/** Gives what is held for a dead letter back to its account: it pays debt first. To its lease it counts as released. */
export async function releaseMoney(tx: PoolConnection, letter: DeadLetter): Promise<void> {
  if (letter.held === 0n) return;
  const { accountId, held } = letter;
  await tx.query(
    `UPDATE lease SET dead_lettered = dead_lettered - ?, released = released + ?
     WHERE account_id = ? AND id = ?`,
    [held, held, accountId, Buffer.from(letter.leaseId, "hex")],
  );
  const before = (await lockWallets(tx, [accountId])).get(accountId);
  if (before === undefined) throw new Error(`${accountId} holds money and has no balance`);
  await moveWallets(tx, [{ accountId, before, after: release(before, held).wallet }]);
}

/** Takes what has expired of an account's credit out of its balance, now that the money it was held in is free. */
export async function expireCredit(
  tx: PoolConnection,
  accountId: string,
  nowMs: number,
): Promise<void> {
  const before = (await lockWallets(tx, [accountId])).get(accountId);
  if (before === undefined || before.openGrants === 0) return;
  const grants = await lockOpenGrants(tx, [accountId]);
  const expiry = expireDue(before, grants.get(accountId) ?? [], nowMs);
  await inOneTrip(tx, (trip) => [
    moveWallets(trip, [{ accountId, before, after: expiry.wallet }]),
    saveExpiries(trip, [expiry], nowMs),
  ]);
}
