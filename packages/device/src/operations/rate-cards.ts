import type { Nanos } from "@farebox/kit/money";
import {
  boundDevice,
  type CompiledDeviceRates,
  compileDeviceRates,
} from "@farebox/pricing/device-charge";
import { parseDeviceRateCard } from "@farebox/pricing/device-rates";
import type { DeviceUsage } from "@farebox/pricing/device-usage";
import type { DeviceAsk } from "../domain/device-ask.ts";
import { reservedUsage } from "../domain/owed-usage.ts";
import type { Resources } from "../domain/resources.ts";

const compiledMax = 1_000;
const bytesPerMb = 1n << 20n;

/** Rate cards as they are computed with, each compiled once. */
export type RateCards = { of(json: string): CompiledDeviceRates };

/** Keeps the cards that were used last. */
export function createRateCards(): RateCards {
  const kept = new Map<string, CompiledDeviceRates>();
  return {
    of: (json) => {
      const known = kept.get(json);
      if (known !== undefined) return known;
      const rates = compileDeviceRates(parseDeviceRateCard(json));
      if (kept.size >= compiledMax) kept.clear();
      kept.set(json, rates);
      return rates;
    },
  };
}

/** What a term of so many milliseconds may cost, traffic apart: an upper bound, whatever the price modes. */
export function termCost(rates: CompiledDeviceRates, resources: Resources, ms: number): Nanos {
  return boundDevice(rates, reservedUsage(resources, ms));
}

/** What so much traffic costs. */
export function trafficCost(rates: CompiledDeviceRates, networkMb: number): Nanos {
  const usage: DeviceUsage = {
    ...reservedUsage({ cpuMillis: 0, memoryMb: 0, storageMb: 0 }, 0),
    networkBytes: BigInt(networkMb) * bytesPerMb,
  };
  return boundDevice(rates, usage);
}

/** What is held before a device begins: its term, and some traffic. */
export function holdCost(rates: CompiledDeviceRates, ask: DeviceAsk): Nanos {
  return termCost(rates, ask.resources, ask.termMs) + trafficCost(rates, ask.networkMb);
}
