import type { Redis } from "ioredis";
import type { DeviceEvents } from "../device-events.ts";
import type { Sample } from "../domain/epoch.ts";

/** A device's latest sample, and the one before. */
export type ShownSample = {
  readonly allocationId: string;
  /** Whether it is the first or the last that is known of a device. */
  readonly type: "STARTED" | "PERIODIC" | "STOPPED";
  readonly sample: Sample;
  readonly before: Sample | undefined;
  /** When it was taken in. */
  readonly nowMs: number;
};

/** Shows samples to whoever looks at Redis. Never rejects: the bill does not depend on it. */
export type ShowSamples = (samples: readonly ShownSample[]) => Promise<void>;

/** The latest figures of a running device. */
export type LiveFigures = {
  readonly sampleMs: number;
  readonly cpuCores: number;
  readonly memoryBytes: bigint;
  readonly sentBytes: bigint;
  readonly receivedBytes: bigint;
};

const keptMs = 7 * 86_400_000;
const liveMs = 60_000;
/** Seven days at a sample every two seconds. */
const samplesMax = 302_400;

const streamKey = (allocationId: string) => `farebox:device:alc_${allocationId}:samples`;
const liveKey = (allocationId: string) => `farebox:device:alc_${allocationId}:live`;

/** Appends each sample to its device's stream, kept for seven days, and writes the live figures, which fade after a minute. */
export function createShowSamples(redis: Redis, events: DeviceEvents): ShowSamples {
  return async (samples) => {
    if (samples.length === 0 || redis.status !== "ready") return;
    const pipeline = redis.pipeline();
    for (const shown of samples) {
      const { allocationId, nowMs } = shown;
      const stream = streamKey(allocationId);
      pipeline.xadd(stream, "MAXLEN", "~", samplesMax, "*", ...fieldsOf(shown));
      pipeline.pexpire(stream, keptMs);
      pipeline.set(liveKey(allocationId), JSON.stringify(liveOf(shown, nowMs)), "PX", liveMs);
    }
    try {
      const answers = (await pipeline.exec()) ?? [];
      const failed = answers.find(([error]) => error !== null)?.[0];
      if (failed) events.samplesNotShown(failed);
    } catch (error) {
      events.samplesNotShown(error);
    }
  };
}

/** Undefined for a device that was not sampled within the last minute, or without Redis. */
export async function readLive(
  redis: Redis,
  allocationId: string,
): Promise<LiveFigures | undefined> {
  if (redis.status !== "ready") return undefined;
  const text = await redis.get(liveKey(allocationId)).catch(() => null);
  if (text === null) return undefined;
  const live: ReturnType<typeof liveOf> = JSON.parse(text);
  return {
    ...live,
    memoryBytes: BigInt(live.memoryBytes ?? 0),
    sentBytes: BigInt(live.sentBytes ?? 0),
    receivedBytes: BigInt(live.receivedBytes ?? 0),
  };
}

function liveOf({ sample, before }: ShownSample, nowMs: number) {
  const ms = before === undefined ? 0 : sample.readMs - before.readMs;
  const used = before === undefined ? 0n : sample.cpuNanoseconds - before.cpuNanoseconds;
  return {
    sampleMs: nowMs,
    cpuCores: ms > 0 && used > 0n ? Number(used) / 1e6 / ms : 0,
    memoryBytes: sample.memoryBytes?.toString(),
    sentBytes: sample.sentBytes?.toString(),
    receivedBytes: sample.receivedBytes?.toString(),
  };
}

function fieldsOf({ type, sample, nowMs }: ShownSample): readonly (string | number)[] {
  const fields: readonly (readonly [string, bigint | undefined])[] = [
    ["cpu_nanoseconds", sample.cpuNanoseconds],
    ["memory_bytes", sample.memoryBytes],
    ["sent_bytes", sample.sentBytes],
    ["received_bytes", sample.receivedBytes],
    ["read_bytes", sample.readBytes],
    ["written_bytes", sample.writtenBytes],
  ];
  return [
    ...["type", type, "taken_ms", nowMs, "read_ms", sample.readMs],
    ...fields.flatMap(([name, value]) => (value === undefined ? [] : [name, value.toString()])),
  ];
}
