import type { MessageInitShape } from "@bufbuild/protobuf";
import { fieldError } from "@farebox/kit/app-error";
import { parseId } from "@farebox/kit/ids";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import type {
  BatchCheckQuotaRequest,
  BillingService,
  CheckQuotaResultSchema,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import type { AskAnswer, LeaseAsk } from "../domain/grant-plan.ts";
import { type BatchCheckQuotaDeps, batchCheckQuota } from "../operations/batch-check-quota.ts";
import type { AccountFactsCache } from "../store/account-facts.ts";
import { askFault, fromAsk, toProtoAnswer } from "./convert-ask.ts";
import { fromClaims, toProtoClaim } from "./convert-claim.ts";

export type BatchCheckQuotaMethodDeps = BatchCheckQuotaDeps & {
  readonly facts: AccountFactsCache;
};

const listMax = 2000;

/**
 * `BillingService.BatchCheckQuota`. To be mounted unvalidated: it checks by hand, since one ask that is not valid is
 * answered by itself and must not fail the others.
 */
export function batchCheckQuotaMethod(
  deps: BatchCheckQuotaMethodDeps,
): RpcImpl<typeof BillingService>["batchCheckQuota"] {
  return async (req) => {
    const by = { gatewayId: readGateway(req), gatewayEpoch: req.gatewayEpoch };
    const faults = req.asks.map(askFault);
    const sound: LeaseAsk[] = [];
    req.asks.forEach((ask, index) => {
      if (faults[index] === undefined) sound.push(fromAsk(ask, by));
    });
    const claims = fromClaims(req.claims, "claims");
    const releasedClaims = fromClaims(req.releasedClaims, "released_claims");
    const answered = await batchCheckQuota(deps, { ...by, asks: sound, claims, releasedClaims });
    await deps.facts.load(claims.map((claim) => claim.accountId));
    const answers = answered.answers[Symbol.iterator]();
    return {
      results: req.asks.map(({ accountId }, index) =>
        toResult(
          faults[index] === undefined ? answers.next().value : undefined,
          currencyOf(deps, accountId),
        ),
      ),
      claimResults: answered.claims.map((claim, index) =>
        toProtoClaim(claim, currencyOf(deps, claims[index]?.accountId ?? "")),
      ),
    };
  };
}

function readGateway(req: BatchCheckQuotaRequest): string {
  const gatewayId = parseId("gtw", req.gatewayId);
  if (gatewayId === undefined) throw fieldError("gateway_id", "must be gtw_ and 32 hex digits");
  if (req.gatewayEpoch < 1n) throw fieldError("gateway_epoch", "must be the epoch of the welcome");
  if (req.asks.length > listMax) throw fieldError("asks", "must be at most 2000");
  if (req.claims.length > listMax) throw fieldError("claims", "must be at most 2000");
  if (req.releasedClaims.length > listMax) {
    throw fieldError("released_claims", "must be at most 2000");
  }
  return gatewayId.toString("hex");
}

/** An ask that was not sound has no answer. */
function toResult(
  answer: AskAnswer | undefined,
  currencyCode: string,
): MessageInitShape<typeof CheckQuotaResultSchema> {
  if (answer === undefined) return { error: ErrorReason.INVALID_ARGUMENT };
  if (answer.kind === "refuse") return { error: ErrorReason[answer.reason] };
  return { response: toProtoAnswer(answer, currencyCode) };
}

function currencyOf(deps: BatchCheckQuotaMethodDeps, accountId: string): string {
  return deps.facts.get(accountId)?.currencyCode ?? "";
}
