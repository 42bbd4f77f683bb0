import { type Nanos, nanosMax } from "@farebox/kit/money";
import type { Reason } from "@farebox/kit/reasons";
import type { Usage } from "@farebox/pricing/usage";
import { isPrintable, isRequestId } from "./plain-text.ts";
import { areTags, checkUsage, countMax } from "./usage-item.ts";

/** One thing to pay for, as a caller of DeductQuota states it; not yet trusted. */
export type Charge = {
  readonly requestId: string;
  /** Undefined: priced from provider, model and usage. */
  readonly amount: { readonly currencyCode: string; readonly nanos: Nanos } | undefined;
  readonly units: number;
  readonly usage: Usage | undefined;
  readonly provider: string;
  readonly model: string;
  readonly usageSource: number;
  readonly apiKeyId: string;
  readonly userId: string;
  readonly tags: readonly string[];
};

/** Why a charge is refused. */
export type ChargeFault = { readonly reason: Reason; readonly field: string };

/**
 * Names what is wrong with a charge, in proto naming; undefined for a sound one. A charge in another currency than the
 * account's is refused here too.
 */
export function checkCharge(charge: Charge, currencyCode: string): ChargeFault | undefined {
  const field = checkFields(charge);
  if (field !== undefined) return { reason: "INVALID_ARGUMENT", field };
  const stated = charge.amount?.currencyCode ?? "";
  if (stated === "" || stated === currencyCode) return undefined;
  return { reason: "CURRENCY_MISMATCH", field: "amount.currency_code" };
}

function checkFields(charge: Charge): string | undefined {
  if (!isRequestId(charge.requestId)) return "request_id";
  const { amount, usage } = charge;
  if (amount !== undefined) {
    if (amount.nanos < 0n || amount.nanos > nanosMax) return "amount";
    if (!/^([A-Z]{3})?$/.test(amount.currencyCode)) return "amount.currency_code";
  }
  if (!(charge.units >= 0 && charge.units <= countMax)) return "units";
  if (usage !== undefined) {
    const bucket = checkUsage(usage);
    if (bucket !== undefined) return bucket;
  }
  if (!isPrintable(charge.provider, 64)) return "provider";
  if (charge.model.length > 256) return "model";
  if (amount === undefined) {
    if (usage === undefined) return "amount";
    if (charge.provider === "") return "provider";
    if (charge.model === "") return "model";
  }
  if (!(charge.usageSource >= 0 && charge.usageSource <= 4)) return "usage_source";
  if (!isPrintable(charge.apiKeyId, 64)) return "api_key_id";
  if (charge.userId.length > 128) return "user_id";
  return areTags(charge.tags) ? undefined : "tags";
}
