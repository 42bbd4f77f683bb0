import { readFile } from "node:fs/promises";
import { parsePrice } from "@farebox/pricing/price";
import { PriceError } from "@farebox/pricing/price-error";
import { type RecordReader, readRecord } from "@farebox/pricing/record-reader";
import type { PriceVersion } from "../domain/price-book.ts";
import type { ExchangeRate } from "../domain/price-terms.ts";
import { parseYaml } from "./parse-yaml.ts";

/** The operator's own prices and exchange rates, as a file states them. */
export type PriceFile = {
  readonly versions: readonly PriceVersion[];
  readonly exchangeRates: readonly ExchangeRate[];
};

const pricesMost = 20_000;
const exchangeRatesMost = 1_000;
const currency = { pattern: /^[A-Z]{3}$/, expected: "an ISO 4217 code" };

/**
 * Reads the file named by FAREBOX_PRICES: a list `prices`, and a list `exchange_rates` of `{from, to, rate}`. Its prices
 * are overrides, read when the process starts; every billing process must be given the same file. Where SetPrice has a
 * version of the same model, the one with the newest `effective_from` counts, and of two alike the one that was set.
 *
 * A `model` may be a pattern (`gpt-*`). The price of provider "*" and model "*", if there is one, is what models are
 * charged with that nothing else prices; without it they are refused.
 *
 * Throws an Error that names the file and every field at fault.
 */
export async function readPriceFile(path: string): Promise<PriceFile> {
  const text = await readFile(path, "utf8");
  try {
    return parsePriceFile(text);
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** Reads the text of a price file. Throws a PriceError that names every field at fault. */
export function parsePriceFile(text: string): PriceFile {
  const faults: string[] = [];
  const reader = readRecord(parseYaml(text) ?? {}, "", faults);
  const versions = reader.list("prices", pricesMost).flatMap((value, index) => {
    try {
      const price = parsePrice(value);
      if (price.source !== "override") throw new PriceError("price", ["source must be override"]);
      return [{ price, effectiveFromMs: Date.parse(price.effectiveFrom) }];
    } catch (error) {
      if (!(error instanceof PriceError)) throw error;
      faults.push(...error.faults.map((fault) => `prices[${index}].${fault}`));
      return [];
    }
  });
  const exchangeRates = reader
    .list("exchange_rates", exchangeRatesMost)
    .map((value, index) => readRate(readRecord(value, `exchange_rates[${index}]`, faults)));
  refuseTwice(reader, exchangeRates);
  reader.refuseUnknown();
  if (faults.length > 0) throw new PriceError("price file", faults);
  return { versions, exchangeRates };
}

function readRate(reader: RecordReader): ExchangeRate {
  const from = reader.text("from", currency);
  const to = reader.text("to", currency);
  const rate = reader.decimal("rate", { most: "1000000000", required: true }) ?? "";
  if (rate === "0") reader.fault("rate", "must be above 0");
  if (from !== "" && from === to) reader.fault("to", "must be another currency than from");
  reader.refuseUnknown();
  return { from, to, rate };
}

function refuseTwice(reader: RecordReader, rates: readonly ExchangeRate[]): void {
  const pairs = new Set(rates.map(({ from, to }) => `${from}/${to}`));
  if (pairs.size < rates.length) reader.fault("exchange_rates", "must not name one pair twice");
}
