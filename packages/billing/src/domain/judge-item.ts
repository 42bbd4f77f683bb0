import type { Reason } from "@farebox/kit/reasons";
import { charge } from "@farebox/pricing/charge";
import type { CompiledPrice } from "@farebox/pricing/compiled-price";
import { completionTokens, promptTokens, type Usage } from "@farebox/pricing/usage";
import { UsageError } from "@farebox/pricing/usage-error";
import { checkItem, type DecodedItem, isNothing } from "./usage-item.ts";

/** Why an item cannot be charged. */
export type ItemFault = {
  readonly reason: Reason;
  /** The field at fault, in proto naming; empty when no single one is. */
  readonly field: string;
};

/** What is known of an account beside its money; neither ever changes. */
export type AccountFacts = { readonly tenantId: string; readonly currencyCode: string };

/** What an item is judged by: undefined for an account or a snapshot that does not exist. */
export type ItemEvidence = {
  readonly account: AccountFacts | undefined;
  readonly price: CompiledPrice | undefined;
  readonly nowMs: number;
};

/** The number of USAGE_ABSURD, by which a gateway that knows the call's own limits says so itself. */
const absurdCode = 10019;
/** How often a stale catalogue may be exceeded before a usage is taken for nonsense. */
const promptSlack = 4;
/** The most completions one call may ask for, and then some. */
const completionSlack = 256;

/**
 * Judges an item by what does not change: its fields, its account, and its cost computed anew from usage and snapshot. A
 * fault puts it aside for an operator, and never stops the items beside it. Undefined for an item that can be charged.
 */
export function judgeItem(item: DecodedItem, evidence: ItemEvidence): ItemFault | undefined {
  const field = checkItem(item, evidence);
  if (field !== undefined) return { reason: "INVALID_ARGUMENT", field };
  const { account, price } = evidence;
  if (account === undefined) return { reason: "ACCOUNT_NOT_FOUND", field: "account_id" };
  if (price === undefined) return judgeUnpriced(item);
  if (price.snapshot.accountCurrency !== account.currencyCode) {
    return { reason: "CURRENCY_MISMATCH", field: "price_snapshot_id" };
  }
  if (item.errorCode === absurdCode || isAbsurd(item.usage, price))
    return { reason: "USAGE_ABSURD", field: "usage" };
  if (item.freeUnits > 0) return judgeFree(item);
  return judgeCost(item, price);
}

function judgeCost(item: DecodedItem, price: CompiledPrice): ItemFault | undefined {
  try {
    if (charge(price, item.usage) === item.costNanos) return undefined;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { reason: "MODEL_NOT_PRICED", field: "usage" };
  }
  return { reason: "COST_MISMATCH", field: "cost_nanos" };
}

function judgeUnpriced(item: DecodedItem): ItemFault | undefined {
  if (item.priceSnapshotId !== "" || !isNothing(item.usage)) {
    return { reason: "PRICE_SNAPSHOT_UNKNOWN", field: "price_snapshot_id" };
  }
  return judgeFree(item);
}

function judgeFree(item: DecodedItem): ItemFault | undefined {
  return item.costNanos === 0n ? undefined : { reason: "COST_MISMATCH", field: "cost_nanos" };
}

/** Usage beyond what the model can take in or put out, with room for catalogues that lag behind. */
export function isAbsurd(usage: Usage, { snapshot }: CompiledPrice): boolean {
  const { contextTokens, maxOutputTokens } = snapshot;
  if (contextTokens === 0) return false;
  if (promptTokens(usage) > contextTokens * promptSlack) return true;
  const outputMost = Math.max(maxOutputTokens, contextTokens);
  return completionTokens(usage) > outputMost * completionSlack;
}
