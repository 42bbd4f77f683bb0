import type { Pool } from "@farebox/kit/mysql";
import type { AskAnswer, LeaseAsk } from "../domain/grant-plan.ts";
import type { ClaimAnswer, RequestClaim } from "../domain/request-claim.ts";
import type { AskQueue } from "./ask-queue.ts";
import { requireCurrentEpoch } from "./check-quota.ts";
import { type ClaimRequestsDeps, claimRequests } from "./claim-requests.ts";

export type BatchCheckQuotaDeps = ClaimRequestsDeps & {
  readonly pool: Pool;
  readonly asks: AskQueue;
};

export type BatchCheckQuotaInput = {
  /** 32 hex digits. */
  readonly gatewayId: string;
  readonly gatewayEpoch: bigint;
  readonly asks: readonly LeaseAsk[];
  readonly claims: readonly RequestClaim[];
  readonly releasedClaims: readonly RequestClaim[];
};

export type BatchCheckQuotaAnswer = {
  readonly answers: readonly AskAnswer[];
  readonly claims: readonly ClaimAnswer[];
};

/**
 * Answers all that a gateway asks within one turn: leases, and claims of client request ids. Asks and claims do not
 * depend on each other, and are durable when this returns.
 *
 * Errors: EPOCH_STALE, UNAVAILABLE, after which the gateway repeats the batch.
 */
export async function batchCheckQuota(
  deps: BatchCheckQuotaDeps,
  input: BatchCheckQuotaInput,
): Promise<BatchCheckQuotaAnswer> {
  const { gatewayId, gatewayEpoch } = input;
  await requireCurrentEpoch(deps.pool, gatewayId, gatewayEpoch);
  const asked = deps.asks.submit(input.asks.map((ask) => ({ ask, mayCreateAccount: true })));
  const [answers, claims] = await Promise.all([asked, claimRequests(deps, input)]);
  return { answers, claims };
}
