import type { MessageInitShape } from "@bufbuild/protobuf";
import { fieldError } from "@farebox/kit/app-error";
import { formatId } from "@farebox/kit/ids";
import type { DeviceRates } from "@farebox/pricing/device-rates";
import type { DeviceDimension as Dimension } from "@farebox/pricing/device-usage";
import {
  type DeviceChargeSchema,
  DeviceDimension,
  DeviceQuality,
  type DeviceRatesSchema,
  type DeviceQuantity as ProtoQuantity,
  type DeviceRates as ProtoRates,
  type ReportDeviceUsageRequest,
  type ReportDeviceUsageResponseSchema,
} from "@farebox/proto/farebox/billing/v1/device_usage";
import { SettleStatus } from "@farebox/proto/farebox/billing/v1/usage";
import {
  checkPeriod,
  completeQuantities,
  type DeviceQuantity,
  deviceQualities,
} from "../domain/device-report.ts";
import type { ExplainedDeviceCharge } from "../operations/explain-device-charge.ts";
import type {
  ReportDeviceUsageInput,
  ReportedDeviceUsage,
} from "../operations/report-device-usage.ts";
import type { SetDeviceRatesInput } from "../operations/set-device-rates.ts";
import type { DeviceRatesVersion } from "../store/device-rates-store.ts";
import { toProtoBalance } from "./convert-account.ts";
import { leaseHex } from "./convert-ask.ts";
import { toMoney } from "./convert-money.ts";
import { fromDuration, fromTimestamp, toTimestamp } from "./convert-time.ts";
import { wordOf } from "./convert-word.ts";

/** Reads a report that fits the contract. Errors: INVALID_ARGUMENT with the field. */
export function fromReport(req: ReportDeviceUsageRequest, nowMs: number): ReportDeviceUsageInput {
  const startMs = fromTimestamp(req.periodStart, "period_start");
  const endMs = fromTimestamp(req.periodEnd, "period_end");
  if (startMs === undefined) throw fieldError("period_start", "is missing");
  if (endMs === undefined) throw fieldError("period_end", "is missing");
  const durationMs = req.duration && Math.floor(fromDuration(req.duration));
  const field = checkPeriod({ startMs, endMs, durationMs }, nowMs);
  if (field !== undefined) throw fieldError(field, periodRules[field] ?? "is not valid");
  if (req.close && req.leaseId === "") throw fieldError("lease_id", "must name the lease to close");
  const reservation = {
    cpuMillis: cpuMillisOf(req.cpuCores),
    memoryMb: req.memoryMb,
    storageMb: req.storageMb,
    durationMs: durationMs ?? endMs - startMs,
  };
  const quantities = completeQuantities(req.quantities.map(fromQuantity), reservation);
  if (quantities === undefined) {
    throw fieldError("quantities", "must be one of each dimension, and zero where it is unknown");
  }
  const { requestId, accountId, userId, deviceId, allocationId, tenantId, close } = req;
  const names = { requestId, accountId, userId, deviceId, allocationId };
  const leaseId = leaseHex(req.leaseId) ?? "";
  const report = { ...names, leaseId, periodStartMs: startMs, periodEndMs: endMs, quantities };
  return { report, tenantId, close };
}

const periodRules: Readonly<Record<string, string>> = {
  period_end: "must be after period_start, by at most 31 days, and not more than a day ahead",
  duration: "must be within the period",
};

/** What came of a report, as the contract carries it. */
export function toProtoReported({
  status,
  charge,
  balance,
  currencyCode,
}: ReportedDeviceUsage): MessageInitShape<typeof ReportDeviceUsageResponseSchema> {
  return {
    status: SettleStatus[status],
    charged: toMoney(charge.charged, currencyCode),
    transactionId: formatId("txn", Buffer.from(charge.id, "hex")),
    rateCardId: charge.rateCardId,
    balance: toProtoBalance(balance, currencyCode),
  };
}

/** Reads rates as they are stated; whether they are decimals is checked with the rest. */
export function fromRates(rates: ProtoRates): Omit<SetDeviceRatesInput, "requestId"> {
  const numbers: DeviceRates = {
    cpuNanoseconds: rates.cpuSecond,
    memoryByteMilliseconds: rates.memoryGbSecond,
    storageByteMilliseconds: rates.storageGbHour,
    networkBytes: rates.networkGb,
    gpuNanoseconds: rates.gpuSecond,
  };
  return {
    currency: rates.currencyCode,
    rates: numbers,
    markup: rates.markup === "" ? "1" : rates.markup,
    effectiveFromMs: fromTimestamp(rates.effectiveFrom, "rates.effective_from"),
  };
}

/** A version of the rates, as the contract carries it. */
export function toProtoRates({
  currency,
  rates,
  markup,
  effectiveFromMs,
}: DeviceRatesVersion): MessageInitShape<typeof DeviceRatesSchema> {
  return {
    currencyCode: currency,
    cpuSecond: rates.cpuNanoseconds,
    memoryGbSecond: rates.memoryByteMilliseconds,
    storageGbHour: rates.storageByteMilliseconds,
    networkGb: rates.networkBytes,
    gpuSecond: rates.gpuNanoseconds,
    markup,
    effectiveFrom: toTimestamp(effectiveFromMs),
  };
}

/** A charge with its arithmetic, as the contract carries it. */
export function toProtoDeviceCharge({
  charge,
  card,
  cardJson,
  text,
}: ExplainedDeviceCharge): MessageInitShape<typeof DeviceChargeSchema> {
  const { accountId, allocationId, deviceId, userId, requestId } = charge;
  return {
    ...{ accountId, allocationId, deviceId, userId, requestId },
    periodStart: toTimestamp(charge.periodStartMs),
    periodEnd: toTimestamp(charge.periodEndMs),
    quantities: charge.quantities.map(({ dimension, counted, quality }) => ({
      dimension: DeviceDimension[dimensionWords[dimension]],
      counted: String(counted),
      quality: DeviceQuality[quality],
    })),
    charged: toMoney(charge.charged, card.accountCurrency),
    carriedIn: charge.carriedIn,
    carriedOut: charge.carriedOut,
    rateCardId: charge.rateCardId,
    rateCardJson: cardJson,
    transactionId: formatId("txn", Buffer.from(charge.id, "hex")),
    text,
    createTime: toTimestamp(charge.createTimeMs),
  };
}

const dimensionWords = {
  cpuNanoseconds: "CPU",
  memoryByteMilliseconds: "MEMORY",
  storageByteMilliseconds: "STORAGE",
  networkBytes: "NETWORK",
  gpuNanoseconds: "GPU",
} as const satisfies Record<Dimension, keyof typeof DeviceDimension>;

const dimensions: ReadonlyMap<number, Dimension> = new Map([
  [DeviceDimension.CPU, "cpuNanoseconds"],
  [DeviceDimension.MEMORY, "memoryByteMilliseconds"],
  [DeviceDimension.STORAGE, "storageByteMilliseconds"],
  [DeviceDimension.NETWORK, "networkBytes"],
  [DeviceDimension.GPU, "gpuNanoseconds"],
]);

function fromQuantity({ dimension, counted, quality }: ProtoQuantity): DeviceQuantity {
  const known = dimensions.get(dimension);
  if (known === undefined) throw fieldError("quantities", "must be of known dimensions");
  return {
    dimension: known,
    counted: BigInt(counted),
    quality: wordOf(deviceQualities, DeviceQuality, quality) ?? "MEASURED",
  };
}

function cpuMillisOf(cores: number): number {
  const millis = Math.round(cores * 1000);
  if (Math.abs(cores * 1000 - millis) > 1e-6) {
    throw fieldError("cpu_cores", "must be a number of cores to a thousandth");
  }
  return millis;
}
