import type { PriceTerms } from "@farebox/pricing/snapshot";

/** How much of one currency another is sold for: `rate` of `to` for one of `from`, a decimal string. */
export type ExchangeRate = { readonly from: string; readonly to: string; readonly rate: string };

/**
 * The terms on which prices of one currency are sold to accounts of each: its own at 1, others where a rate is known. A
 * rate counts in the direction it is given in only, so that a margin on the exchange stays the operator's choice.
 */
export function termsFor(
  priceCurrency: string,
  rates: readonly ExchangeRate[],
): readonly PriceTerms[] {
  const terms: PriceTerms[] = [{ exchangeRate: "1", accountCurrency: priceCurrency }];
  for (const { from, to, rate } of rates) {
    if (from === priceCurrency && to !== priceCurrency) {
      terms.push({ exchangeRate: rate, accountCurrency: to });
    }
  }
  return terms;
}
