import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError, fieldError } from "@farebox/kit/app-error";
import { formatId } from "@farebox/kit/ids";
import { nanosMax } from "@farebox/kit/money";
import type {
  ChargeResultSchema,
  DeductQuotaRequest,
  Charge as ProtoCharge,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { SettleStatus } from "@farebox/proto/farebox/billing/v1/usage";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import type { Charge } from "../domain/charge-check.ts";
import { isAccountId, isRequestId } from "../domain/plain-text.ts";
import type { DeductQuotaInput } from "../operations/deduct-quota.ts";
import type { ChargeOutcome } from "../operations/settle-charges.ts";
import { leaseHex } from "./convert-ask.ts";
import { toMoney } from "./convert-money.ts";
import { fromProtoUsage } from "./convert-usage.ts";

const chargesMax = 1000;

/**
 * Reads a DeductQuota request. Its charges are not checked here: each is answered by itself. Everything around them is,
 * because the contract's own validation would refuse the call for one bad charge, and is switched off.
 *
 * Errors: INVALID_ARGUMENT with the field.
 */
export function fromDeductQuota(req: DeductQuotaRequest): DeductQuotaInput {
  if (!isRequestId(req.requestId)) {
    throw fieldError("request_id", "must be 1 to 128 printable characters, the last no space");
  }
  if (!isAccountId(req.accountId)) throw fieldError("account_id", "must name an account");
  const leaseId = req.leaseId === "" ? "" : leaseHex(req.leaseId);
  if (leaseId === undefined) throw fieldError("lease_id", "must be lse_ and 32 hex digits");
  if (req.epoch < 0n) throw fieldError("epoch", "must be zero or more");
  if (req.charges.length > chargesMax) throw fieldError("charges", "must be at most 1000");
  if (req.close && leaseId === "") throw fieldError("lease_id", "must name the lease to close");
  return {
    accountId: req.accountId,
    leaseId,
    charges: req.charges.map(fromCharge),
    close: req.close,
    finalTotal: finalTotalOf(req.finalTotal),
  };
}

/** The total that a holder counted; undefined when it does not say. */
export function finalTotalOf(
  total: { readonly amountNanos: bigint } | undefined,
): bigint | undefined {
  if (total === undefined) return undefined;
  if (total.amountNanos >= 0n && total.amountNanos <= nanosMax) return total.amountNanos;
  throw fieldError("final_total.amount_nanos", "must be from 0 to 9 * 10^18");
}

/** What became of a charge, as the contract carries it. */
export function toChargeResult(
  outcome: ChargeOutcome,
  currencyCode: string,
): MessageInitShape<typeof ChargeResultSchema> {
  const { requestId, status, charged, transactionId, reason, field } = outcome;
  return {
    requestId,
    status: SettleStatus[status],
    charged: toMoney(charged, currencyCode),
    reason: reason === undefined ? ErrorReason.UNSPECIFIED : ErrorReason[reason],
    field,
    transactionId: transactionId === "" ? "" : formatId("txn", Buffer.from(transactionId, "hex")),
  };
}

/** Refuses a total in another currency than the account's. */
export function requireCurrency(
  stated: { readonly currencyCode: string } | undefined,
  currencyCode: string,
): void {
  if (stated === undefined || stated.currencyCode === "") return;
  if (stated.currencyCode !== currencyCode) {
    throw new AppError("CURRENCY_MISMATCH", undefined, { metadata: { field: "final_total" } });
  }
}

function fromCharge(charge: ProtoCharge): Charge {
  const { amount, usage } = charge;
  return {
    requestId: charge.requestId,
    amount: amount && { currencyCode: amount.currencyCode, nanos: amount.amountNanos },
    units: Number(charge.units),
    usage: usage && fromProtoUsage(usage),
    provider: charge.provider,
    model: charge.model,
    usageSource: charge.usageSource,
    apiKeyId: charge.apiKeyId,
    userId: charge.userId,
    tags: charge.tags,
  };
}
