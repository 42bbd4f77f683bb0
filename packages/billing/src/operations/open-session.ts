import { AppError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { inTransaction, type Pool, type PoolConnection } from "@farebox/kit/mysql";
import { decideEpoch, type EpochDecision } from "../domain/session-epoch.ts";
import {
  insertSession,
  readSession,
  type SessionKey,
  takeOverSession,
  touchSession,
} from "../store/session-store.ts";

export type OpenSessionDeps = { readonly pool: Pool; readonly clock: Clock };

export type OpenSessionInput = { readonly gatewayId: Uint8Array; readonly bootId: Uint8Array };

/** Enough for as many processes of one gateway as could ever race; each lost race means that another one won. */
const triesMax = 20;

/**
 * Gives a gateway that says hello its epoch, and counts the hello as a sign of life.
 *
 * Said again by the same boot, the answer is the same, unless the epoch was given up meanwhile. Two boots that say hello
 * at once get two epochs; the older one is stale from then on.
 *
 * Errors: UNAVAILABLE when the database does not answer, or the race is lost every time.
 */
export async function openSession(
  deps: OpenSessionDeps,
  input: OpenSessionInput,
): Promise<SessionKey> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const opened = await inTransaction(deps.pool, (tx) => tryToOpen(tx, deps, input));
    if (opened !== undefined) return opened;
  }
  throw new AppError("UNAVAILABLE", undefined, { retryAfterMs: 100 });
}

async function tryToOpen(
  tx: PoolConnection,
  deps: OpenSessionDeps,
  input: OpenSessionInput,
): Promise<SessionKey | undefined> {
  const decision = decideEpoch(await readSession(tx, input.gatewayId), input.bootId);
  const key = { ...input, epoch: decision.epoch };
  const now = new Date(deps.clock.nowMs());
  return (await save(tx, { key, decision, now })) ? key : undefined;
}

/** False when another process was faster. */
function save(
  tx: PoolConnection,
  { key, decision, now }: { key: SessionKey; decision: EpochDecision; now: Date },
): Promise<boolean> {
  switch (decision.kind) {
    case "create":
      return insertSession(tx, key, now);
    case "reconnect":
      return touchSession(tx, key, now);
    case "take-over":
      return takeOverSession(tx, key, now);
  }
}
