import { fieldError } from "@farebox/kit/app-error";
import type { Clock } from "@farebox/kit/clock";
import { newUuid } from "@farebox/kit/ids";
import type { Pool } from "@farebox/kit/mysql";
import type { Orm } from "@farebox/kit/orm";
import { type DeviceRates, parseDeviceRateCard } from "@farebox/pricing/device-rates";
import { PriceError } from "@farebox/pricing/price-error";
import {
  type DeviceRatesVersion,
  findDeviceRates,
  insertDeviceRates,
} from "../store/device-rates-store.ts";
import { requestOnce } from "../store/request-once.ts";
import { contentSha256 } from "./content-sha256.ts";

export type SetDeviceRatesDeps = {
  readonly orm: Orm;
  readonly pool: Pool;
  readonly clock: Clock;
};

export type SetDeviceRatesInput = {
  readonly requestId: string;
  readonly currency: string;
  readonly rates: DeviceRates;
  readonly markup: string;
  /** Undefined for now. */
  readonly effectiveFromMs: number | undefined;
};

/**
 * Adds a version of the device rates, from now on or from a time to come: what has begun keeps its rates. The same request
 * id with the same content answers the same version, also when its time has come.
 *
 * Errors: INVALID_ARGUMENT, REQUEST_ID_REUSED.
 */
export async function setDeviceRates(
  deps: SetDeviceRatesDeps,
  input: SetDeviceRatesInput,
): Promise<DeviceRatesVersion> {
  const nowMs = deps.clock.nowMs();
  const { requestId, effectiveFromMs, ...content } = input;
  const id = newUuid();
  const version = checked({
    ...content,
    id: id.toString("hex"),
    effectiveFromMs: effectiveFromMs ?? nowMs,
  });
  const { isFirst, result } = await requestOnce(
    deps.orm,
    {
      accountId: "",
      method: "SetDeviceRates",
      requestId,
      sha256: contentSha256([
        ...[version.currency, version.markup],
        ...Object.values(version.rates),
        effectiveFromMs,
      ]),
      nowMs,
    },
    id,
    async (em) => {
      if (version.effectiveFromMs < nowMs) {
        throw fieldError("rates.effective_from", "must not be in the past");
      }
      await insertDeviceRates(em, version, nowMs);
    },
  );
  if (isFirst) return version;
  const stored = await findDeviceRates(deps.pool, Buffer.from(result).toString("hex"));
  return stored ?? version;
}

/** The version as a card would hold it, its decimals in their one spelling. */
function checked(version: DeviceRatesVersion): DeviceRatesVersion {
  const { currency, rates, markup } = version;
  try {
    const card = parseDeviceRateCard(
      JSON.stringify({
        ...{ format: 1, currency, rates, markup, accountCurrency: currency },
        effectiveFrom: new Date(version.effectiveFromMs).toISOString(),
        ...{ exchangeRate: "1", rounding: "DOWN_CARRY" },
      }),
    );
    return { ...version, rates: card.rates, markup: card.markup };
  } catch (error) {
    if (!(error instanceof PriceError)) throw error;
    const [field = "", why] = splitFault(error.faults[0] ?? "");
    throw fieldError(`rates.${protoName(field)}`, why);
  }
}

/** A fault names its field, then says why. */
function splitFault(fault: string): readonly [field: string, why: string] {
  const at = fault.indexOf(" ");
  return [fault.slice(0, at), fault.slice(at + 1)];
}

const protoNames: Readonly<Record<string, string>> = {
  "rates.cpuNanoseconds": "cpu_second",
  "rates.memoryByteMilliseconds": "memory_gb_second",
  "rates.storageByteMilliseconds": "storage_gb_hour",
  "rates.networkBytes": "network_gb",
  "rates.gpuNanoseconds": "gpu_second",
  currency: "currency_code",
};

function protoName(field: string): string {
  return protoNames[field] ?? field;
}
