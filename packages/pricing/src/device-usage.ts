/**
 * What a device used, in whole numbers of what the container engine counts, so that any sum of parts is the whole: time of
 * one core, bytes held for so many milliseconds, bytes sent, time of one GPU.
 */
export type DeviceUsage = {
  readonly cpuNanoseconds: bigint;
  readonly memoryByteMilliseconds: bigint;
  readonly storageByteMilliseconds: bigint;
  readonly networkBytes: bigint;
  readonly gpuNanoseconds: bigint;
};

/** One kind of what a device uses. */
export type DeviceDimension = keyof DeviceUsage;

/** Every dimension, in the order that bills show them in. */
export const deviceDimensions = [
  "cpuNanoseconds",
  "memoryByteMilliseconds",
  "storageByteMilliseconds",
  "networkBytes",
  "gpuNanoseconds",
] as const satisfies readonly DeviceDimension[];

/** Nothing used. */
export const noDeviceUsage: DeviceUsage = {
  cpuNanoseconds: 0n,
  memoryByteMilliseconds: 0n,
  storageByteMilliseconds: 0n,
  networkBytes: 0n,
  gpuNanoseconds: 0n,
};

/** Dimension by dimension. */
export function mapDeviceUsage(of: (dimension: DeviceDimension) => bigint): DeviceUsage {
  return {
    cpuNanoseconds: of("cpuNanoseconds"),
    memoryByteMilliseconds: of("memoryByteMilliseconds"),
    storageByteMilliseconds: of("storageByteMilliseconds"),
    networkBytes: of("networkBytes"),
    gpuNanoseconds: of("gpuNanoseconds"),
  };
}
