/** What a container engine said of one container at one moment. A counter that it does not have is undefined. */
export type Sample = {
  /** The engine's own time: it orders samples, and no more. */
  readonly readMs: number;
  readonly cpuNanoseconds: bigint;
  /** In use, without inactive file cache. */
  readonly memoryBytes: bigint | undefined;
  readonly sentBytes: bigint | undefined;
  readonly receivedBytes: bigint | undefined;
  readonly readBytes: bigint | undefined;
  readonly writtenBytes: bigint | undefined;
};

/** One run of a container, from a start to the next. */
export type Epoch = {
  readonly cpuNanoseconds: bigint;
  readonly sentBytes: bigint;
  readonly receivedBytes: bigint;
  readonly readBytes: bigint;
  readonly writtenBytes: bigint;
  readonly memoryByteMilliseconds: bigint;
  /** How long memory was not known. */
  readonly unknownMs: number;
  readonly sampleCount: number;
  readonly firstReadMs: number | undefined;
  readonly lastReadMs: number | undefined;
  /** At the last sample; undefined when it was not known then. */
  readonly lastMemoryBytes: bigint | undefined;
};

export const newEpoch: Epoch = {
  cpuNanoseconds: 0n,
  sentBytes: 0n,
  receivedBytes: 0n,
  readBytes: 0n,
  writtenBytes: 0n,
  memoryByteMilliseconds: 0n,
  unknownMs: 0,
  sampleCount: 0,
  firstReadMs: undefined,
  lastReadMs: undefined,
  lastMemoryBytes: undefined,
};

/**
 * An epoch with one more sample. Counters keep the highest that was seen: a sample that is lost, repeated, late, or taken by
 * two collectors cannot change the sum by more than what nobody saw. Memory is a gauge: between two samples it counts as the
 * smaller of both, and not at all when they lie further apart than `gapMsMax`. An older sample adds no memory, so that a node
 * whose clock was set back gives some away.
 */
export function foldSample(epoch: Epoch, sample: Sample, gapMsMax: number): Epoch {
  const counted = {
    cpuNanoseconds: larger(epoch.cpuNanoseconds, sample.cpuNanoseconds),
    sentBytes: larger(epoch.sentBytes, sample.sentBytes),
    receivedBytes: larger(epoch.receivedBytes, sample.receivedBytes),
    readBytes: larger(epoch.readBytes, sample.readBytes),
    writtenBytes: larger(epoch.writtenBytes, sample.writtenBytes),
  };
  const { lastReadMs, lastMemoryBytes } = epoch;
  if (lastReadMs !== undefined && sample.readMs <= lastReadMs) return { ...epoch, ...counted };
  const gapMs = lastReadMs === undefined ? 0 : sample.readMs - lastReadMs;
  const held = smaller(lastMemoryBytes, sample.memoryBytes);
  const isKnown = held !== undefined && gapMs <= gapMsMax;
  return {
    ...counted,
    memoryByteMilliseconds: epoch.memoryByteMilliseconds + (isKnown ? held * BigInt(gapMs) : 0n),
    unknownMs: epoch.unknownMs + (isKnown ? 0 : gapMs),
    sampleCount: epoch.sampleCount + 1,
    firstReadMs: epoch.firstReadMs ?? sample.readMs,
    lastReadMs: sample.readMs,
    lastMemoryBytes: sample.memoryBytes,
  };
}

/** What all runs of a container come to. */
export type Counted = {
  readonly cpuNanoseconds: bigint;
  readonly memoryByteMilliseconds: bigint;
  readonly sentBytes: bigint;
  readonly sampleCount: number;
};

export function sumEpochs(epochs: readonly Epoch[]): Counted {
  return epochs.reduce<Counted>(
    (sum, it) => ({
      cpuNanoseconds: sum.cpuNanoseconds + it.cpuNanoseconds,
      memoryByteMilliseconds: sum.memoryByteMilliseconds + it.memoryByteMilliseconds,
      sentBytes: sum.sentBytes + it.sentBytes,
      sampleCount: sum.sampleCount + it.sampleCount,
    }),
    { cpuNanoseconds: 0n, memoryByteMilliseconds: 0n, sentBytes: 0n, sampleCount: 0 },
  );
}

function larger(seen: bigint, sampled: bigint | undefined): bigint {
  return sampled !== undefined && sampled > seen ? sampled : seen;
}

function smaller(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a < b ? a : b;
}
