import { createHash } from "node:crypto";
import { AppError } from "@farebox/kit/app-error";
import { type CompiledDeviceRates, compileDeviceRates } from "@farebox/pricing/device-charge";
import { canonicalDeviceRateCard, type DeviceRateCard } from "@farebox/pricing/device-rates";
import { createBoundedMap } from "../domain/bounded-map.ts";
import { type ExchangeRate, termsFor } from "../domain/price-terms.ts";
import { type DeviceRatesVersion, deviceRatesAt } from "../store/device-rates-store.ts";
import type { Queryable } from "../store/queryable.ts";

/** A rate card as it is stored, shown and charged by. */
export type DeviceRateSheet = {
  /** The first 16 bytes of the SHA-256 of `json`, in hex. */
  readonly id: string;
  readonly json: string;
  readonly rates: CompiledDeviceRates;
};

export type DeviceRateCardsDeps = {
  readonly exchangeRates: () => readonly ExchangeRate[];
};

/** What devices cost accounts. */
export type DeviceRateCards = {
  /**
   * The card of the version in force at an instant, on the exchange rate of now, for accounts of a currency.
   * Errors: EXCHANGE_RATE_MISSING.
   */
  at(db: Queryable, atMs: number, accountCurrency: string): Promise<DeviceRateSheet>;
};

const sheetsMax = 1_000;

/** Makes the cards of one process: versions are read each time, and each card is compiled once. */
export function createDeviceRateCards(deps: DeviceRateCardsDeps): DeviceRateCards {
  const sheets = createBoundedMap<DeviceRateSheet>(sheetsMax);
  return {
    at: async (db, atMs, accountCurrency) => {
      const version = await deviceRatesAt(db, atMs);
      const card = cardOf(version, deps.exchangeRates(), accountCurrency);
      const json = canonicalDeviceRateCard(card);
      const known = sheets.get(json);
      if (known !== undefined) return known;
      const sheet = { id: idOf(json), json, rates: compileDeviceRates(card) };
      sheets.set(json, sheet);
      return sheet;
    },
  };
}

function cardOf(
  version: DeviceRatesVersion,
  exchangeRates: readonly ExchangeRate[],
  accountCurrency: string,
): DeviceRateCard {
  const { currency, rates, markup, effectiveFromMs } = version;
  const terms = termsFor(currency, exchangeRates).find(
    (it) => it.accountCurrency === accountCurrency,
  );
  if (terms === undefined) {
    throw new AppError("EXCHANGE_RATE_MISSING", undefined, {
      metadata: { from: currency, to: accountCurrency },
    });
  }
  return {
    ...{ format: 1, currency, rates, markup, accountCurrency },
    effectiveFrom: new Date(effectiveFromMs).toISOString(),
    exchangeRate: terms.exchangeRate,
    rounding: "DOWN_CARRY",
  };
}

function idOf(json: string): string {
  return createHash("sha256").update(json).digest("hex").slice(0, 32);
}
