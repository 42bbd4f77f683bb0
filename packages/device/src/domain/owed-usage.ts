import {
  type DeviceDimension,
  type DeviceUsage,
  mapDeviceUsage,
} from "@farebox/pricing/device-usage";
import type { Counted } from "./epoch.ts";
import type { Resources } from "./resources.ts";

/** What a dimension is charged by: what was reserved × for how long, what was measured, or the larger of both. */
export const priceModes = ["RESERVED", "USED", "LARGER"] as const;
export type PriceMode = (typeof priceModes)[number];

/** Storage is always reserved, traffic always what was sent. */
export type PriceModes = { readonly cpu: PriceMode; readonly memory: PriceMode };

const bytesPerMb = 1n << 20n;
/** A thousandth of a core for a millisecond. */
const nanosecondsPerMilliMs = 1_000n;

/** What resources come to when they are reserved for so long. Nothing is sent. */
export function reservedUsage(resources: Resources, ms: number): DeviceUsage {
  const span = BigInt(Math.max(0, Math.trunc(ms)));
  return {
    cpuNanoseconds: BigInt(resources.cpuMillis) * span * nanosecondsPerMilliMs,
    memoryByteMilliseconds: BigInt(resources.memoryMb) * bytesPerMb * span,
    storageByteMilliseconds: BigInt(resources.storageMb) * bytesPerMb * span,
    networkBytes: 0n,
    gpuNanoseconds: 0n,
  };
}

/** What decides what an allocation owes. */
export type Terms = {
  readonly resources: Resources;
  readonly modes: PriceModes;
  /** Whether its node measures traffic: it is not sold where it is not. */
  readonly isTrafficSold: boolean;
};

/** What is owed in all for so many milliseconds of a device, and what was counted in them. Never falls as either grows. */
export function owedUsage(terms: Terms, counted: Counted, deliveredMs: number): DeviceUsage {
  const reserved = reservedUsage(terms.resources, deliveredMs);
  const { cpu, memory } = terms.modes;
  return {
    ...reserved,
    cpuNanoseconds: byMode(cpu, reserved.cpuNanoseconds, counted.cpuNanoseconds),
    memoryByteMilliseconds: byMode(
      memory,
      reserved.memoryByteMilliseconds,
      counted.memoryByteMilliseconds,
    ),
    networkBytes: terms.isTrafficSold ? counted.sentBytes : 0n,
  };
}

/** What is owed and has not been reported. */
export function unreported(owed: DeviceUsage, reported: DeviceUsage): DeviceUsage {
  return mapDeviceUsage((dimension) => {
    const rest = owed[dimension] - reported[dimension];
    return rest > 0n ? rest : 0n;
  });
}

export type Quality = "MEASURED" | "RESERVED" | "UNKNOWN";

/**
 * How a dimension's quantity came about. UNKNOWN when nothing of it was ever measured; the larger of two is RESERVED for as long
 * as nothing was measured.
 */
export function qualityOf(dimension: DeviceDimension, terms: Terms, counted: Counted): Quality {
  const { modes, isTrafficSold } = terms;
  switch (dimension) {
    case "cpuNanoseconds":
      return byUse(modes.cpu, counted.sampleCount > 0);
    case "memoryByteMilliseconds":
      return byUse(modes.memory, counted.memoryByteMilliseconds > 0n);
    case "networkBytes":
      return isTrafficSold && counted.sampleCount > 0 ? "MEASURED" : "UNKNOWN";
    case "storageByteMilliseconds":
    case "gpuNanoseconds":
      return "RESERVED";
  }
}

function byUse(mode: PriceMode, isMeasured: boolean): Quality {
  if (mode === "RESERVED") return "RESERVED";
  if (isMeasured) return "MEASURED";
  return mode === "LARGER" ? "RESERVED" : "UNKNOWN";
}

function byMode(mode: PriceMode, reserved: bigint, used: bigint): bigint {
  if (mode === "RESERVED") return reserved;
  if (mode === "USED") return used;
  return used > reserved ? used : reserved;
}
