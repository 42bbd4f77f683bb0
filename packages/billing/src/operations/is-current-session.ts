import { inTransaction, type Pool } from "@farebox/kit/mysql";
import { isLive } from "../domain/session-epoch.ts";
import { readSession, type SessionKey } from "../store/session-store.ts";

/** True while no other boot and no newer epoch of the gateway is stored, and the epoch has not been given up. */
export async function isCurrentSession(
  deps: { readonly pool: Pool },
  session: SessionKey,
): Promise<boolean> {
  const stored = await inTransaction(deps.pool, (tx) => readSession(tx, session.gatewayId));
  if (stored === undefined) return false;
  const isSameBoot = Buffer.compare(stored.bootId, session.bootId) === 0;
  return isSameBoot && stored.epoch === session.epoch && isLive(stored);
}
