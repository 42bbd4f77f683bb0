import { AppError } from "@farebox/kit/app-error";
import { nanosMax } from "@farebox/kit/money";
import { charge as priceOf } from "@farebox/pricing/charge";
import type { CompiledPrice } from "@farebox/pricing/compiled-price";
import { UsageError } from "@farebox/pricing/usage-error";
import { type Charge, type ChargeFault, checkCharge } from "../domain/charge-check.ts";
import { isAbsurd } from "../domain/judge-item.ts";

export type PriceChargeDeps = {
  /**
   * The price that applies now, and its stored snapshot's id in hex; undefined for a model that nobody prices. May throw
   * an AppError, whose reason then rejects the charge.
   */
  readonly priceUsage: (
    provider: string,
    model: string,
    currencyCode: string,
  ) => Promise<UsagePrice | undefined> | UsagePrice | undefined;
};

/** A compiled price and the id of its snapshot, 32 hex digits. */
export type UsagePrice = { readonly snapshotId: string; readonly compiled: CompiledPrice };

/** What a charge costs, or why it is rejected: it is checked first, then priced unless it states its amount. */
export async function priceCharge(
  deps: PriceChargeDeps,
  charge: Charge,
  currencyCode: string,
): Promise<
  { readonly costNanos: bigint; readonly priceSnapshotId: string } | { readonly fault: ChargeFault }
> {
  const fault = checkCharge(charge, currencyCode);
  if (fault !== undefined) return { fault };
  const { amount, usage, provider, model } = charge;
  if (amount !== undefined) return { costNanos: amount.nanos, priceSnapshotId: "" };
  if (usage === undefined) return { fault: { reason: "INVALID_ARGUMENT", field: "amount" } };
  try {
    const price = await deps.priceUsage(provider, model, currencyCode);
    if (price === undefined) return { fault: { reason: "MODEL_NOT_PRICED", field: "model" } };
    if (isAbsurd(usage, price.compiled))
      return { fault: { reason: "USAGE_ABSURD", field: "usage" } };
    const costNanos = priceOf(price.compiled, usage);
    if (costNanos > nanosMax) return { fault: { reason: "USAGE_ABSURD", field: "usage" } };
    return { costNanos, priceSnapshotId: price.snapshotId };
  } catch (error) {
    if (error instanceof UsageError)
      return { fault: { reason: "MODEL_NOT_PRICED", field: "usage" } };
    if (error instanceof AppError && error.reason !== "UNAVAILABLE") {
      return { fault: { reason: error.reason, field: "model" } };
    }
    throw error;
  }
}
