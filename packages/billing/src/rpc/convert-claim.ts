import type { MessageInitShape } from "@bufbuild/protobuf";
import { fieldError } from "@farebox/kit/app-error";
import { formatId } from "@farebox/kit/ids";
import type {
  RequestClaim as ProtoClaim,
  RequestClaimResultSchema,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import { isAccountId, isRequestId } from "../domain/plain-text.ts";
import type { ClaimAnswer, RequestClaim } from "../domain/request-claim.ts";
import { toMoney } from "./convert-money.ts";

/** Reads the claims of a batch. Errors: INVALID_ARGUMENT with the field. */
export function fromClaims(claims: readonly ProtoClaim[], list: string): RequestClaim[] {
  return claims.map((claim, index) => {
    const fault = claimFault(claim);
    if (fault !== undefined) throw fieldError(`${list}[${index}].${fault}`, "is not valid");
    return {
      accountId: claim.accountId,
      requestId: claim.requestId,
      sha256: Buffer.from(claim.sha256).toString("hex"),
      attemptId: Buffer.from(claim.attemptId).toString("hex"),
    };
  });
}

/** The answer to a claim, as the contract carries it. */
export function toProtoClaim(
  answer: ClaimAnswer,
  currencyCode: string,
): MessageInitShape<typeof RequestClaimResultSchema> {
  if (answer.kind === "claimed") return {};
  if (answer.reason !== "REQUEST_ALREADY_CHARGED") return { error: ErrorReason[answer.reason] };
  const { transactionId, cost } = answer;
  return {
    error: ErrorReason.REQUEST_ALREADY_CHARGED,
    transactionId: transactionId === "" ? "" : formatId("txn", Buffer.from(transactionId, "hex")),
    cost: toMoney(cost, currencyCode),
  };
}

function claimFault(claim: ProtoClaim): string | undefined {
  if (!isAccountId(claim.accountId)) return "account_id";
  if (!isRequestId(claim.requestId)) return "request_id";
  if (claim.sha256.length !== 32) return "sha256";
  return claim.attemptId.length === 16 ? undefined : "attempt_id";
}
