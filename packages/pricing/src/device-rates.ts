import type { DeviceDimension } from "./device-usage.ts";
import { priceTexts, rateMost, readInstant } from "./price.ts";
import { PriceError } from "./price-error.ts";
import { readRecord } from "./record-reader.ts";

/** What a device's resources cost, as decimal strings of the card's currency, each for its unit of `deviceUnits`. */
export type DeviceRates = { readonly [dimension in DeviceDimension]: string };

/** Bytes in a GB, here and in every figure of a device's. */
export const gigabyte = 2n ** 30n;

/**
 * What each rate is the price of, in the whole numbers that usage is counted in: a second of one core is 10⁹ nanoseconds,
 * a GB-second 2³⁰ bytes for 1000 milliseconds, a GB-hour 3600 times that, a GB 2³⁰ bytes.
 */
export const deviceUnits = {
  cpuNanoseconds: { name: "cpu_seconds", size: 10n ** 9n },
  memoryByteMilliseconds: { name: "memory_gb_seconds", size: gigabyte * 1_000n },
  storageByteMilliseconds: { name: "storage_gb_hours", size: gigabyte * 3_600_000n },
  networkBytes: { name: "network_gb", size: gigabyte },
  gpuNanoseconds: { name: "gpu_seconds", size: 10n ** 9n },
} as const satisfies {
  readonly [dimension in DeviceDimension]: { readonly name: string; readonly size: bigint };
};

/** The rates that an installation begins with. */
export const deviceRatesDefault: DeviceRates = {
  cpuNanoseconds: "0.000012",
  memoryByteMilliseconds: "0.000004",
  storageByteMilliseconds: "0.0001",
  networkBytes: "0.02",
  gpuNanoseconds: "0.0006",
};

/**
 * One version of what devices cost and the terms it is sold on. Immutable: a charge is recomputed from it alone, years later,
 * to the last digit.
 */
export type DeviceRateCard = {
  readonly format: 1;
  readonly currency: string;
  readonly effectiveFrom: string;
  readonly rates: DeviceRates;
  /** The factor on every amount; "1" for none. */
  readonly markup: string;
  /** The factor from the card's currency to the account's. */
  readonly exchangeRate: string;
  readonly accountCurrency: string;
  /** Each window is rounded down to a whole nano, and what is left over is carried to the next one. */
  readonly rounding: "DOWN_CARRY";
};

const markupMost = "1000";
const exchangeRateMost = "1000000000";

/** The one spelling of a card: JSON with its keys in fixed order. Throws a PriceError that names every fault. */
export function canonicalDeviceRateCard(card: DeviceRateCard): string {
  return JSON.stringify(readCard(card));
}

/** Reads a card back, whatever order a database has put its keys in. Throws a PriceError that names every fault. */
export function parseDeviceRateCard(json: string): DeviceRateCard {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new PriceError("device rate card", ["is not JSON"]);
  }
  return readCard(value);
}

function readCard(value: unknown): DeviceRateCard {
  const faults: string[] = [];
  const reader = readRecord(value, "", faults);
  if (reader.value("format") !== 1) reader.fault("format", "must be 1");
  const currency = reader.text("currency", priceTexts.currency);
  const effectiveFrom = readInstant(reader, "effectiveFrom");
  const rates = readRecord(reader.value("rates"), "rates", faults);
  const rate = (dimension: DeviceDimension) =>
    rates.decimal(dimension, { most: rateMost, required: true }) ?? "";
  const card: DeviceRateCard = {
    ...{ format: 1, currency, effectiveFrom },
    rates: {
      cpuNanoseconds: rate("cpuNanoseconds"),
      memoryByteMilliseconds: rate("memoryByteMilliseconds"),
      storageByteMilliseconds: rate("storageByteMilliseconds"),
      networkBytes: rate("networkBytes"),
      gpuNanoseconds: rate("gpuNanoseconds"),
    },
    markup: reader.decimal("markup", { most: markupMost, required: true }) ?? "",
    exchangeRate: reader.decimal("exchangeRate", { most: exchangeRateMost, required: true }) ?? "",
    accountCurrency: reader.text("accountCurrency", priceTexts.currency),
    rounding: "DOWN_CARRY",
  };
  rates.refuseUnknown();
  if (reader.value("rounding") !== "DOWN_CARRY") reader.fault("rounding", "must be DOWN_CARRY");
  if (card.exchangeRate === "0") reader.fault("exchangeRate", "must be above 0");
  if (card.currency === card.accountCurrency && card.exchangeRate !== "1") {
    reader.fault("exchangeRate", `must be 1 from ${card.currency} to itself`);
  }
  reader.refuseUnknown();
  if (faults.length > 0) throw new PriceError("device rate card", faults);
  return card;
}
