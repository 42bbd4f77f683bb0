import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  DeviceDimension,
  DeviceQuality,
  type DeviceQuantitySchema,
} from "@farebox/proto/farebox/billing/v1/device_usage";
import type { Quantity } from "../domain/usage-window.ts";

/** A window's quantities in the contract's words, which Billing is told and owners are shown. */
export function protoQuantities(
  quantities: readonly Quantity[],
): MessageInitShape<typeof DeviceQuantitySchema>[] {
  return quantities.map(({ dimension, counted, quality }) => ({
    dimension: dimensions[dimension],
    counted: counted.toString(),
    quality: DeviceQuality[quality],
  }));
}

const dimensions = {
  cpuNanoseconds: DeviceDimension.CPU,
  memoryByteMilliseconds: DeviceDimension.MEMORY,
  storageByteMilliseconds: DeviceDimension.STORAGE,
  networkBytes: DeviceDimension.NETWORK,
  gpuNanoseconds: DeviceDimension.GPU,
} as const;
