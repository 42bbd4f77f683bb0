import type { Clock } from "@farebox/kit/clock";
import { inTransaction, type Pool } from "@farebox/kit/mysql";
import { type ClaimAnswer, decideClaim, type RequestClaim } from "../domain/request-claim.ts";
import {
  addClaims,
  claimKey,
  dropClaims,
  lockClaims,
  takeOverClaims,
} from "../store/claim-store.ts";

export type ClaimRequestsDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  /** How long a gateway may be lost before its claims are up for others. */
  readonly leaseSuspectMsMax: number;
};

export type ClaimRequestsInput = {
  /** 32 hex digits. */
  readonly gatewayId: string;
  readonly gatewayEpoch: bigint;
  readonly claims: readonly RequestClaim[];
  /** Claims whose calls were refused before they began. */
  readonly releasedClaims: readonly RequestClaim[];
};

/**
 * Claims client request ids before their upstream calls, one answer per claim, in their order: of any number of attempts
 * at once, through any number of gateways, one is told to go on. Claiming again for the same attempt answers the same.
 */
export async function claimRequests(
  deps: ClaimRequestsDeps,
  input: ClaimRequestsInput,
): Promise<readonly ClaimAnswer[]> {
  const { claims, releasedClaims, gatewayId, gatewayEpoch } = input;
  if (claims.length + releasedClaims.length === 0) return [];
  return inTransaction(deps.pool, async (tx) => {
    const nowMs = deps.clock.nowMs();
    const by = { gatewayId, gatewayEpoch, nowMs };
    await dropClaims(tx, releasedClaims);
    if (claims.length === 0) return [];
    // Added first and read back locked: twins of one id meet on its row, not in the gap where it is not yet.
    await addClaims(tx, claims, by);
    const stored = await lockClaims(tx, claims, nowMs - deps.leaseSuspectMsMax);
    const taken: RequestClaim[] = [];
    const answers = claims.map((claim) => {
      const found = stored.get(claimKey(claim));
      if (found === undefined) throw new Error("a claim that was added is not there");
      const answer = decideClaim(claim, found);
      if (answer.kind === "claimed" && answer.mustTakeOver) {
        taken.push(claim);
        stored.set(claimKey(claim), { ...found, ...claim, state: "IN_FLIGHT", isOrphan: false });
      }
      return answer;
    });
    await takeOverClaims(tx, taken, by);
    return answers;
  });
}
