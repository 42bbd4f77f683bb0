import { setTimeout as sleep } from "node:timers/promises";
import { openDockerEngine } from "@farebox/device/docker/docker-engine";
import { createGrpcClient } from "@farebox/kit/grpc-client";
import { OperationsService } from "@farebox/proto/farebox/billing/v1/operations_service";
import { Redis } from "ioredis";
import { busyboxImage, busyboxTag } from "../../engines/busybox-image.ts";
import { kernelCpuNanos } from "../../engines/kernel-counters.ts";
import {
  openPrivateEngine,
  type PrivateEngine,
  whyNoEngine,
} from "../../engines/private-engine.ts";
import { openReplayEngine } from "../../engines/replay-engine.ts";
import { awaitCondition } from "../../faults/await-condition.ts";
import { fundAccounts } from "../fund-accounts.ts";
import type { Installation } from "../installation.ts";
import { cpuMicrosOf } from "../load/cpu-time.ts";
import { median } from "../median.ts";
import type { Part } from "../part.ts";
import { type DeviceBench, realNode, startDeviceBench } from "./start-device-bench.ts";

const pairs = 25;
const ownPairs = 200;
const warmUps = 200;
const meteredDevices = 200;
const idle = ["sleep", "100000"];

/**
 * Devices on a real engine: what an allocation costs beyond the engine's own create and start, in pairs; what metering 200 running
 * devices at a tick of 2 s uses, and how old their samples are; 200 releases at once; and how exactly a CPU burner is billed,
 * against the kernel's own counter.
 */
export const devicesPart: Part = async ({ installation, options, log }) => {
  const why = whyNoEngine();
  if (why !== undefined) throw new Error(`the part devices needs a container engine: ${why}`);
  await using engine = await openPrivateEngine({ images: [busyboxImage()] });
  await using bench = await startDeviceBench(installation, engine.url);
  const [owner] = await fundAccounts(installation, {
    prefix: "devices",
    count: 1,
    withKeys: false,
  });
  const accountId = owner?.accountId ?? "";
  log(`${pairs} pairs of allocations`);
  const real = { url: engine.url, node: realNode, accountId, count: pairs };
  const allocation = await measurePairs(bench, real);
  const own = await measureOwn(bench, accountId);
  const burner = await bench.allocate(accountId, {
    command: ["sh", "-c", "while true; do :; done"],
    cpuCores: 0.25,
  });
  log(`${meteredDevices} devices`);
  const ids: string[] = [];
  while (ids.length < meteredDevices) ids.push(await bench.allocate(accountId, { command: idle }));
  const metering = await measureMetering(bench, installation, ids, options.durationMs);
  log(`${meteredDevices} releases at once`);
  const beganMs = performance.now();
  await Promise.all(ids.map((id) => bench.release(id)));
  const releases = (ids.length * 1_000) / (performance.now() - beganMs);
  const accuracy = await measureBurner(bench, engine, burner);
  return {
    rows: [
      { name: "device.engine_ms.p50", value: allocation.engine, unit: "ms" },
      { name: "device.allocate_ms.p50", value: allocation.allocate, unit: "ms" },
      { name: "device.added_ms.p50", value: allocation.added, unit: "ms" },
      { name: "device.own_ms.p50", value: own, unit: "ms" },
      { name: "device.collector_cpu.share", value: metering.cpuShare, unit: "ratio" },
      { name: "device.sample_lag_ms.p99", value: metering.lagMs, unit: "ms" },
      { name: "device.releases_per_s", value: releases, unit: "1/s" },
      { name: "device.ratio.billed_to_kernel_cpu", value: accuracy, unit: "ratio" },
    ],
    faults: await findFaults(bench, installation, accountId),
  };
};

/** In turns: what the engine alone takes to create and start a container, and what an allocation takes. */
async function measurePairs(
  bench: DeviceBench,
  of: {
    readonly url: string;
    readonly node: string;
    readonly accountId: string;
    readonly count: number;
  },
) {
  using docker = openDockerEngine(of.url);
  const alone: number[] = [];
  const allocated: number[] = [];
  for (let pair = 0; pair < of.count; pair += 1) {
    const { containerId } = await timed(alone, () => docker.run(aloneSpec(pair)));
    await docker.remove(containerId);
    const wish = { command: idle, node: of.node };
    await bench.release(await timed(allocated, () => bench.allocate(of.accountId, wish)));
  }
  const added = allocated.map((ms, at) => ms - (alone[at] ?? 0));
  return { engine: median(alone), allocate: median(allocated), added: median(added) };
}

function aloneSpec(pair: number) {
  return {
    ...{ name: `alone-${pair}`, image: busyboxTag, command: idle, environment: {} },
    ...{ isReadOnly: false, network: "bridge", labels: {} },
    resources: { cpuMillis: 50, memoryMb: 16, storageMb: 0 },
  };
}

async function timed<T>(into: number[], act: () => Promise<T>): Promise<T> {
  const beganMs = performance.now();
  const result = await act();
  into.push(performance.now() - beganMs);
  return result;
}

/** The same on an engine that takes no time of its own, where the difference does not drown in it: room, hold, and books. */
async function measureOwn(bench: DeviceBench, accountId: string): Promise<number> {
  await using engine = await openReplayEngine([busyboxTag], 1_000);
  const { url } = engine;
  await bench.addNode("replay", url);
  const of = { url, node: "replay", accountId };
  await measurePairs(bench, { ...of, count: warmUps });
  return (await measurePairs(bench, { ...of, count: ownPairs })).added;
}

/** CPU of the whole Device process while nothing but metering goes on, and the age of every sample as it was taken in. */
async function measureMetering(
  bench: DeviceBench,
  { redisUrl }: Installation,
  ids: readonly string[],
  durationMs: number,
) {
  const redis = new Redis(redisUrl);
  try {
    const samplesOf = (id: string) => redis.xrange(`farebox:device:${id}:samples`, "-", "+");
    await awaitCondition("every device sampled", async () =>
      (await Promise.all(ids.map(samplesOf))).every((samples) => samples.length > 1),
    );
    const beganMs = performance.now();
    const before = cpuMicrosOf(bench.pid());
    const sinceMs = Date.now();
    await sleep(Math.max(durationMs, 10_000));
    const cpuShare = (cpuMicrosOf(bench.pid()) - before) / 1_000 / (performance.now() - beganMs);
    const lags = (await Promise.all(ids.map(samplesOf))).flat().flatMap(([, fields]) => {
      const of = (name: string) => Number(fields[fields.indexOf(name) + 1]);
      return of("taken_ms") < sinceMs ? [] : [of("taken_ms") - of("read_ms")];
    });
    const sorted = lags.toSorted((a, b) => a - b);
    return { cpuShare, lagMs: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN };
  } finally {
    redis.disconnect();
  }
}

/** What was billed of a burner's life, by what the kernel counted until just before its release. */
async function measureBurner(
  bench: DeviceBench,
  { url }: PrivateEngine,
  burner: string,
): Promise<number> {
  using docker = openDockerEngine(url);
  const listed = await docker.list();
  const container = listed.find(({ labels }) =>
    burner.endsWith(labels["farebox.allocation"] ?? "-"),
  );
  const kernel = kernelCpuNanos(container?.containerId ?? "");
  await bench.release(burner);
  return (await bench.billedCpuNanos(burner)) / kernel;
}

async function findFaults(
  bench: DeviceBench,
  { billingAddress: address, secrets }: Installation,
  accountId: string,
): Promise<readonly string[]> {
  const { serviceToken } = secrets;
  const operations = createGrpcClient(OperationsService, {
    ...{ address, serviceToken, deadlineMs: 60_000 },
  });
  try {
    const differences = await bench.differences();
    const { drifts } = await operations.runReconciliation({ accountId });
    return [...differences, ...drifts.map(({ law, subject }) => `${law} ${subject}`)];
  } finally {
    operations.close();
  }
}
