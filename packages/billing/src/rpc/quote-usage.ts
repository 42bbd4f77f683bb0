import { fieldError } from "@farebox/kit/app-error";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import type { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { type QuoteUsageDeps, quoteUsage } from "../operations/quote-usage.ts";
import { fromMoney, toMoney } from "./convert-money.ts";
import { toProtoSnapshot } from "./convert-price.ts";
import { fromProtoUsage } from "./convert-usage.ts";

/** `BillingService.QuoteUsage` over the live catalogue. */
export function quoteUsageMethod(
  deps: QuoteUsageDeps,
): RpcImpl<typeof BillingService>["quoteUsage"] {
  return async ({ provider, model, usage, accountId, providerReportedCost }) => {
    if (usage === undefined) throw fieldError("usage", "is missing");
    const { costNanos, snapshot } = await quoteUsage(deps, {
      provider,
      model,
      usage: fromProtoUsage(usage),
      accountId,
    });
    const currency = snapshot.accountCurrency;
    const reported =
      providerReportedCost && fromMoney(providerReportedCost, currency, "provider_reported_cost");
    return {
      cost: toMoney(costNanos, currency),
      snapshot: toProtoSnapshot(snapshot),
      ...(reported !== undefined && { difference: toMoney(costNanos - reported, currency) }),
    };
  };
}
