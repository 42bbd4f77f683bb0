import { AppError } from "@farebox/kit/app-error";
import { isModelPattern, matchesModelPattern } from "@farebox/pricing/model-pattern";
import type { Price } from "@farebox/pricing/price";
import { keyOf, type PriceBook, patternsOf, versionAt } from "../domain/price-book.ts";
import { type ExchangeRate, termsFor } from "../domain/price-terms.ts";
import type { PriceSheet, SnapshotShelf } from "./snapshot-shelf.ts";

/** One priced name for accounts of one currency, as gateways hold it. */
export type CatalogueEntry = {
  readonly provider: string;
  /** A model, or a pattern. */
  readonly model: string;
  readonly accountCurrency: string;
  readonly effectiveFromMs: number;
  readonly sheet: PriceSheet;
};

/** Which price is asked for. */
export type PriceQuery = {
  readonly provider: string;
  readonly model: string;
  /** The account's; undefined for the price's own. */
  readonly currency: string | undefined;
  readonly atMs: number;
};

/** Every price of an installation at one time. Immutable. */
export type PricedCatalogue = {
  readonly entries: readonly CatalogueEntry[];
  /** Every version in force and to come, by provider, name and time. */
  readonly versions: readonly { readonly price: Price; readonly effectiveFromMs: number }[];
  /**
   * The prices for a model: those of its exact name, else of the pattern that says most among those that match, else of the
   * fallback under provider "*" and model "*", if the operator has set one. Errors: MODEL_NOT_PRICED,
   * EXCHANGE_RATE_MISSING.
   */
  price(query: PriceQuery): PriceSheet;
};

/** Provider and model of the price that unknown models are charged with, when there is one. */
const fallbackName = "*";

/** Puts a book of prices on the terms of every account currency. */
export function makeCatalogue(
  book: PriceBook,
  exchangeRates: readonly ExchangeRate[],
  shelf: SnapshotShelf,
): PricedCatalogue {
  const exact = new Map(
    book
      .filter((it) => !isModelPattern(it.name))
      .map((it) => [keyOf(it.provider, it.name), it] as const),
  );
  const patterns = patternsOf(book);
  const find = (provider: string, model: string) =>
    exact.get(keyOf(provider, model)) ??
    patterns.get(provider)?.find((it) => matchesModelPattern(it.name, model)) ??
    patterns.get(fallbackName)?.find((it) => it.name === fallbackName);
  return {
    entries: book.flatMap(({ provider, name, timeline }) =>
      timeline.flatMap(({ price, effectiveFromMs }) =>
        termsFor(price.currency, exchangeRates).map((terms) => ({
          provider,
          model: name,
          accountCurrency: terms.accountCurrency,
          effectiveFromMs,
          sheet: shelf.sheetOf(price, terms),
        })),
      ),
    ),
    versions: listVersions(book),
    price: ({ provider, model, currency, atMs }) => {
      const version = versionAt(find(provider, model)?.timeline ?? [], atMs);
      if (!version)
        throw new AppError("MODEL_NOT_PRICED", undefined, { metadata: { provider, model } });
      const wanted = currency ?? version.price.currency;
      const terms = termsFor(version.price.currency, exchangeRates).find(
        (it) => it.accountCurrency === wanted,
      );
      if (terms) return shelf.sheetOf(version.price, terms);
      throw new AppError("EXCHANGE_RATE_MISSING", undefined, {
        metadata: { from: version.price.currency, to: wanted },
      });
    },
  };
}

/** What lists show: each version under the name that it is sold by. */
function listVersions(book: PriceBook): PricedCatalogue["versions"] {
  return book
    .flatMap(({ provider, name, timeline }) =>
      timeline.map(({ price, effectiveFromMs }) => ({
        price:
          price.model === name && price.provider === provider
            ? price
            : { ...price, provider, model: name },
        effectiveFromMs,
      })),
    )
    .sort(
      (a, b) =>
        compare(a.price.provider, b.price.provider) ||
        compare(a.price.model, b.price.model) ||
        a.effectiveFromMs - b.effectiveFromMs,
    );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
