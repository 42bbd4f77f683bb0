import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { inTransaction, type Pool } from "@farebox/kit/mysql";
import { type SessionKey, touchSession } from "../store/session-store.ts";

export type RenewSessionDeps = { readonly pool: Pool; readonly clock: Clock };

/**
 * Lets every open lease of an epoch live for another validity: one row for all of them. Doing it twice is harmless.
 *
 * Errors: EPOCH_STALE when the epoch was given up or another boot has taken over; UNAVAILABLE.
 */
export async function renewSession(deps: RenewSessionDeps, session: SessionKey): Promise<void> {
  const now = new Date(deps.clock.nowMs());
  const isCurrent = await inTransaction(deps.pool, (tx) => touchSession(tx, session, now));
  if (!isCurrent) throw new AppError("EPOCH_STALE");
}
