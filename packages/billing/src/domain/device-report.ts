import {
  type DeviceDimension,
  type DeviceUsage,
  deviceDimensions,
  mapDeviceUsage,
} from "@farebox/pricing/device-usage";
import { futureMsMax } from "./usage-item.ts";

/** How a quantity came about. What is UNKNOWN was not measured, and is not charged. */
export const deviceQualities = ["MEASURED", "RESERVED", "UNKNOWN"] as const;
export type DeviceQuality = (typeof deviceQualities)[number];

/** How much of one dimension a device used, in what the dimension is counted in. */
export type DeviceQuantity = {
  readonly dimension: DeviceDimension;
  readonly counted: bigint;
  readonly quality: DeviceQuality;
};

/** What an allocation used within a period. */
export type DeviceReport = {
  readonly requestId: string;
  readonly accountId: string;
  readonly userId: string;
  /** Empty for none. */
  readonly deviceId: string;
  readonly allocationId: string;
  /** 32 hex digits; empty for none. */
  readonly leaseId: string;
  readonly periodStartMs: number;
  readonly periodEndMs: number;
  /** One of each dimension, in the order of bills. */
  readonly quantities: readonly DeviceQuantity[];
};

/** What was reserved for an allocation, and for how long of a period. */
export type DeviceReservation = {
  /** Thousandths of a core. */
  readonly cpuMillis: number;
  /** Units of 2²⁰ bytes. */
  readonly memoryMb: bigint;
  readonly storageMb: bigint;
  readonly durationMs: number;
};

/** The longest period that one report may be of. */
export const periodMsMax = 31 * 86_400_000;

/** Names what is wrong with a report's period, in proto naming; undefined for a sound one. */
export function checkPeriod(
  period: {
    readonly startMs: number;
    readonly endMs: number;
    readonly durationMs: number | undefined;
  },
  nowMs: number,
): string | undefined {
  const lengthMs = period.endMs - period.startMs;
  if (lengthMs <= 0 || lengthMs > periodMsMax) return "period_end";
  if (period.endMs > nowMs + futureMsMax) return "period_end";
  const { durationMs } = period;
  if (durationMs !== undefined && !(durationMs >= 0 && durationMs <= lengthMs)) return "duration";
  return undefined;
}

const bytesPerMb = 1n << 20n;

/**
 * One quantity of each dimension: what is stated, else what was reserved × for how long, else nothing. Undefined when a
 * dimension is stated twice, or one that is UNKNOWN has a count.
 */
export function completeQuantities(
  stated: readonly DeviceQuantity[],
  reservation: DeviceReservation,
): readonly DeviceQuantity[] | undefined {
  const byDimension = new Map(stated.map((it) => [it.dimension, it]));
  if (byDimension.size < stated.length) return undefined;
  if (stated.some(({ quality, counted }) => quality === "UNKNOWN" && counted !== 0n)) {
    return undefined;
  }
  const reserved = reservedUsage(reservation);
  return deviceDimensions.map(
    (dimension) =>
      byDimension.get(dimension) ?? {
        dimension,
        counted: reserved[dimension],
        quality: "RESERVED",
      },
  );
}

/** Reserved × time. A thousandth of a core for a millisecond is a thousand nanoseconds of a core. */
function reservedUsage(reservation: DeviceReservation): DeviceUsage {
  const { cpuMillis, memoryMb, storageMb } = reservation;
  const durationMs = BigInt(reservation.durationMs);
  return {
    cpuNanoseconds: BigInt(cpuMillis) * durationMs * 1_000n,
    memoryByteMilliseconds: memoryMb * bytesPerMb * durationMs,
    storageByteMilliseconds: storageMb * bytesPerMb * durationMs,
    networkBytes: 0n,
    gpuNanoseconds: 0n,
  };
}

/** The quantities as what is priced. */
export function usageOf(quantities: readonly DeviceQuantity[]): DeviceUsage {
  const counts = new Map(quantities.map(({ dimension, counted }) => [dimension, counted]));
  return mapDeviceUsage((dimension) => counts.get(dimension) ?? 0n);
}

/** What is known of charges that a report may repeat or conflict with. */
export type KnownReports = {
  /** Whose the allocation is: the account that its first charge named. */
  readonly ownerId: string;
  /** The charge of the very same period. */
  readonly samePeriod: { readonly requestId: string; readonly sha256: string } | undefined;
  /** Whether another charge has the report's request id. */
  readonly isRequestUsed: boolean;
  /** Whether some other period overlaps. */
  readonly isOverlapping: boolean;
};

export type ReportDecision =
  | "CHARGE"
  | "REPEAT"
  | "OTHER_ACCOUNT"
  | "REQUEST_ID_REUSED"
  | "DEVICE_PERIOD_CONFLICT";

/**
 * What becomes of a report: each period of an allocation is charged once. REPEAT answers the charge before, whatever the
 * request id; `sha256` is of all that the report says, its request id and lease apart.
 */
export function decideReport(
  report: Pick<DeviceReport, "accountId" | "requestId"> & { readonly sha256: string },
  known: KnownReports,
): ReportDecision {
  const { ownerId, samePeriod } = known;
  if (ownerId !== report.accountId) return "OTHER_ACCOUNT";
  if (samePeriod !== undefined && samePeriod.sha256 === report.sha256) return "REPEAT";
  if (samePeriod?.requestId === report.requestId || known.isRequestUsed) return "REQUEST_ID_REUSED";
  return samePeriod !== undefined || known.isOverlapping ? "DEVICE_PERIOD_CONFLICT" : "CHARGE";
}
