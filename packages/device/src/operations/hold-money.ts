import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { AppError, isRefusal } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import {
  type CheckQuotaResponse,
  Decision,
} from "@farebox/proto/farebox/billing/v1/billing_service";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import type { Allocation } from "../domain/allocation.ts";
import { billingUnavailable } from "./billing-unavailable.ts";
import type { DeviceDeps } from "./device-deps.ts";

/** A lease outlives the term by this: reports may be late. */
const leaseBeyondMs = 3_600_000;
const leaseMsMax = 30 * 86_400_000;

/** What Billing said to a question for money. */
export type HoldAnswer =
  | { readonly kind: "held"; readonly leaseId: string; readonly granted: Nanos }
  | { readonly kind: "denied"; readonly refusal: AppError };

type HoldAsk = Pick<Allocation, "id" | "accountId" | "ask" | "currencyCode">;

/**
 * Asks Billing to hold money for a device: a strict lease, all or nothing. The same name asks the same question, so that a lost
 * answer is found again. Errors: BILLING_UNAVAILABLE, when it is not known what came of it; what Billing refuses.
 */
export async function holdMoney(
  deps: Pick<DeviceDeps, "billing">,
  allocation: HoldAsk,
  of: {
    /** Distinguishes this question from others of the allocation. */
    readonly name: string;
    readonly amount: Nanos;
    /** The lease to add to; empty for a new one. */
    readonly leaseId: string;
    /** How long the device has still to go. */
    readonly restMs: number;
  },
): Promise<HoldAnswer> {
  const { currencyCode } = allocation;
  try {
    const answer = await deps.billing.checkQuota({
      requestId: `alc_${allocation.id}.${of.name}`,
      accountId: allocation.accountId,
      service: "device",
      estimatedCost: { amountNanos: of.amount, currencyCode },
      validFor: durationFromMs(Math.min(of.restMs + leaseBeyondMs, leaseMsMax)),
      leaseId: of.leaseId,
      userId: allocation.ask.userId,
    });
    return readAnswer(answer);
  } catch (error) {
    if (isRefusal(error)) throw error;
    throw billingUnavailable(error);
  }
}

function readAnswer({ decision, lease, reason, available }: CheckQuotaResponse): HoldAnswer {
  if (decision === Decision.ALLOW && lease !== undefined) {
    return { kind: "held", leaseId: lease.id, granted: lease.granted?.amountNanos ?? 0n };
  }
  const metadata: Record<string, string> =
    available === undefined ? {} : { balance: String(available.amountNanos) };
  const isInDebt = reason === ErrorReason.ACCOUNT_IN_DEBT;
  const refusal = new AppError(isInDebt ? "ACCOUNT_IN_DEBT" : "INSUFFICIENT_BALANCE", undefined, {
    metadata,
  });
  return { kind: "denied", refusal };
}
