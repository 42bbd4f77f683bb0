import { fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { type Nanos, nanosMax } from "@farebox/kit/money";
import type { Orm } from "@farebox/kit/orm";
import { charge } from "@farebox/pricing/charge";
import type { PriceSnapshot } from "@farebox/pricing/snapshot";
import type { Usage } from "@farebox/pricing/usage";
import { UsageError } from "@farebox/pricing/usage-error";
import type { LiveCatalogue } from "../prices/live-catalogue.ts";
import { accountCurrency } from "./account-currency.ts";

export type QuoteUsageDeps = {
  readonly orm: Orm;
  readonly clock: Clock;
  readonly catalogue: Pick<LiveCatalogue, "price">;
};

/** What a usage would cost now, in the snapshot's account currency. */
export type UsageQuote = { readonly costNanos: Nanos; readonly snapshot: PriceSnapshot };

/**
 * Prices a usage without charging it: for an account in its currency, without one in the price's own.
 *
 * Errors: MODEL_NOT_PRICED, ACCOUNT_NOT_FOUND, EXCHANGE_RATE_MISSING, INVALID_ARGUMENT for a usage that has no price or
 * costs more than an amount can be.
 */
export async function quoteUsage(
  deps: QuoteUsageDeps,
  input: {
    readonly provider: string;
    readonly model: string;
    readonly usage: Usage;
    /** Empty for none. */
    readonly accountId: string;
  },
): Promise<UsageQuote> {
  const { provider, model, usage, accountId } = input;
  const currency = accountId === "" ? undefined : await accountCurrency(deps.orm, accountId);
  const atMs = deps.clock.nowMs();
  const sheet = deps.catalogue.price({ provider, model, currency, atMs });
  try {
    const costNanos = charge(sheet.compiled(), usage);
    if (costNanos > nanosMax) throw fieldError("usage", "costs more than an amount can be");
    return { costNanos, snapshot: sheet.snapshot };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw fieldError(`usage.${error.bucket}`, "the price has no rate for it");
  }
}
