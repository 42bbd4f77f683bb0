import type { Clock } from "@farebox/kit/clock";
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
const accountsMax = 10_000;
const toldMs = 60_000;
const bytesPerMb = 1n << 20n;

/** Rate cards as they are computed with, each compiled once, and the last one of every account. */
export type RateCards = {
  of(json: string): CompiledDeviceRates;
  /** An account's card, asked for again after a minute. While Billing does not answer, the last one that it told. */
  ofAccount(
    accountId: string,
    ask: () => Promise<string>,
    isAway: (error: unknown) => boolean,
  ): Promise<string>;
};

/** Keeps the cards that were used last. */
export function createRateCards(clock: Pick<Clock, "monotonicMs">): RateCards {
  const kept = new Map<string, CompiledDeviceRates>();
  const told = new Map<string, { readonly json: string; readonly untilMs: number }>();
  return {
    ofAccount: async (accountId, ask, isAway) => {
      const last = told.get(accountId);
      if (last !== undefined && clock.monotonicMs() < last.untilMs) return last.json;
      try {
        const json = await ask();
        if (told.size >= accountsMax) told.clear();
        told.set(accountId, { json, untilMs: clock.monotonicMs() + toldMs });
        return json;
      } catch (error) {
        if (last !== undefined && isAway(error)) return last.json;
        throw error;
      }
    },
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
