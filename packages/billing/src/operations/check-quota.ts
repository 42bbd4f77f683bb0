import { AppError } from "@farebox/kit/app-error";
import type { Pool } from "@farebox/kit/mysql";
import type { AskAnswer, LeaseAsk } from "../domain/grant-plan.ts";
import { isLive } from "../domain/session-epoch.ts";
import { readSession } from "../store/session-store.ts";
import type { AskQueue } from "./ask-queue.ts";

export type CheckQuotaDeps = { readonly pool: Pool; readonly asks: AskQueue };

export type CheckQuotaInput = { readonly ask: LeaseAsk; readonly mayCreateAccount: boolean };

/**
 * Reserves what a call may cost, or answers why not. The same ask again is answered the same and moves nothing; an ask
 * that was denied moved nothing either, and may be granted when it is repeated after a top-up.
 *
 * Errors: ACCOUNT_NOT_FOUND, CURRENCY_MISMATCH, REQUEST_ID_REUSED, LEASE_NOT_FOUND, LEASE_NOT_OPEN, EPOCH_STALE,
 * UNAVAILABLE.
 */
export async function checkQuota(
  deps: CheckQuotaDeps,
  input: CheckQuotaInput,
): Promise<Exclude<AskAnswer, { kind: "refuse" }>> {
  const { gatewayId, gatewayEpoch } = input.ask;
  if (gatewayId !== "") await requireCurrentEpoch(deps.pool, gatewayId, gatewayEpoch);
  const [answer] = await deps.asks.submit([input]);
  if (answer === undefined) throw new Error("an ask was not answered");
  if (answer.kind === "refuse") throw new AppError(answer.reason);
  return answer;
}

/**
 * Refuses a gateway whose epoch is not the current one, or was given up: its leases will be taken back. One that slips
 * through while its successor says hello is swept up with the rest of its epoch.
 */
export async function requireCurrentEpoch(
  pool: Pool,
  gatewayId: string,
  epoch: bigint,
): Promise<void> {
  const session = await readSession(pool, Buffer.from(gatewayId, "hex"));
  if (session === undefined || session.epoch !== epoch || !isLive(session)) {
    throw new AppError("EPOCH_STALE");
  }
}
