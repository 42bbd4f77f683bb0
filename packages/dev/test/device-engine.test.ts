import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { readWardenConfig, startWarden } from "@farebox/device/warden";
import { createLogger } from "@farebox/kit/logger";
import { type Allocation, EndReason } from "@farebox/proto/farebox/device/v1/allocation";
import { busyboxImage } from "../src/engines/busybox-image.ts";
import { engineRequest } from "../src/engines/engine-request.ts";
import { hostPidOf, kernelCpuNanos } from "../src/engines/kernel-counters.ts";
import {
  openPrivateEngine,
  type PrivateEngine,
  whyNoEngine,
} from "../src/engines/private-engine.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import {
  allocate,
  assertSound,
  awaitState,
  chargesOf,
  type DeviceUnderTest,
  newOwner,
  startDeviceForTest,
} from "./device-under-test.ts";

const why = whyNoEngine();
if (why !== undefined && process.env.CI) throw new Error(`no container engine here: ${why}`);
if (why !== undefined) console.error(`SKIPPED, NO CONTAINER ENGINE: ${why}`);
const skip = why === undefined ? false : `no container engine: ${why}`;

let under: DeviceUnderTest;
const engines: PrivateEngine[] = [];
before(async () => {
  if (skip) return;
  const images = [busyboxImage()];
  engines.push(...(await Promise.all([1, 2].map(() => openPrivateEngine({ images })))));
  under = await startDeviceForTest({
    ...{ DEVICE_TICK: "500ms", DEVICE_LOST_AFTER: "30s", DEVICE_START_PATIENCE: "30s" },
    ...{ DEVICE_CPU_PRICE: "USED", DEVICE_MEMORY_PRICE: "USED" },
  });
  for (const [at, engine] of engines.entries()) {
    const { node } = await under.devices.registerNode({
      ...{ displayName: `node-${at}`, engineUrl: engine.url, labels: { at: String(at) } },
      ...{ cpuCores: 16, memoryMb: 16_384n, probeImage: "farebox/busybox:1" },
    });
    const { cpu, memory, network } = node?.measurable ?? {};
    assert.deepEqual({ cpu, memory, network }, { cpu: true, memory: true, network: true });
  }
});
after(async () => {
  if (!skip) await assertSound(under);
  await under?.[Symbol.asyncDispose]();
  for (const engine of engines) await engine[Symbol.asyncDispose]();
});

const shell = (script: string) => ({ command: ["sh", "-c", script] });
const idle = "while true; do sleep 1; done";

type Sight = {
  readonly Id: string;
  readonly State: { readonly Running: boolean };
  readonly NetworkSettings: { readonly IPAddress: string };
};

/** What the engine itself says of an allocation's container. */
async function sightOf({ id }: Allocation, at = 0): Promise<Sight> {
  const socketPath = engines[at]?.socketPath ?? "";
  const filters = encodeURIComponent(
    JSON.stringify({ label: [`farebox.allocation=${id.slice(4)}`] }),
  );
  const list = { method: "GET", path: `/containers/json?all=1&filters=${filters}` };
  const [found]: { Id: string }[] = JSON.parse(String(await engineRequest(socketPath, list)));
  const path = `/containers/${found?.Id}/json`;
  return JSON.parse(String(await engineRequest(socketPath, { method: "GET", path })));
}

const kernelCpu = ({ Id }: Sight) => kernelCpuNanos(Id);

/** The kernel's own count of what a container has sent. */
function kernelSent({ Id }: Sight): number {
  const table = readFileSync(`/proc/${hostPidOf(Id)}/net/dev`, "utf8");
  const fields = /eth0:\s*(.*)/.exec(table)?.[1]?.split(/\s+/) ?? [];
  return Number(fields[8]);
}

async function billed(allocationId: string, dimension: number): Promise<number> {
  const charges = await chargesOf(under, allocationId);
  return charges
    .flatMap(({ quantities }) => quantities)
    .filter((it) => it.dimension === dimension)
    .reduce((sum, it) => sum + Number(it.counted), 0);
}

it("a CPU burner is billed by the kernel's own counter, to the last sample before its stop", {
  skip,
}, async () => {
  const { accountId } = await newOwner(under, 1);
  const burner = await allocate(under, accountId, {
    ...shell("while true; do :; done"),
    ...{ cpuCores: 0.5, nodeLabels: { at: "0" } },
  });
  const sight = await sightOf(burner);
  await awaitCondition("three seconds of a core", () => kernelCpu(sight) > 3e9);
  const beforeNs = kernelCpu(sight);
  const startedMs = performance.now();
  await under.devices.releaseDevice({ allocationId: burner.id });
  const releaseMs = performance.now() - startedMs;
  await assertSound(under);
  const cpu = await billed(burner.id, 1);
  assert.ok(cpu >= beforeNs * 0.999, `${cpu} of ${beforeNs}`);
  // Half a core, and what the kernel's scheduler hands out ahead.
  assert.ok(cpu <= beforeNs + releaseMs * 1e6 * 0.6 + 50e6, `${cpu} of ${beforeNs}`);
});

it("a memory holder is billed for what it holds, a sender for what it sends", {
  skip,
}, async () => {
  const { accountId } = await newOwner(under, 1);
  const nodeLabels = { at: "1" };
  const sink = await allocate(under, accountId, {
    ...shell("while true; do sleep 3600 | nc -l -p 9000 >/dev/null; done"),
    nodeLabels,
  });
  const { NetworkSettings } = await sightOf(sink, 1);
  const hold = "hold=$(head -c 41943040 /dev/zero | tr '\\0' x)";
  const send = `sleep 1; dd if=/dev/zero bs=65536 count=160 2>/dev/null | nc ${NetworkSettings.IPAddress} 9000`;
  const worker = await allocate(under, accountId, {
    ...shell(`${hold}; ${send}; ${idle}`),
    ...{ memoryMb: 256n, cpuCores: 1, nodeLabels },
  });
  const sight = await sightOf(worker, 1);
  await awaitCondition("10 MiB sent", () => kernelSent(sight) > 10 * 2 ** 20);
  await awaitCondition("ten samples", async () => {
    const { epochs } = await under.devices.getDeviceUsage({ allocationId: worker.id });
    return (epochs[0]?.sampleCount ?? 0n) > 8n;
  });
  const { live } = await under.devices.getDeviceUsage({ allocationId: worker.id });
  assert.ok(Number(live?.memoryBytes) > 40 * 2 ** 20 && Number(live?.memoryBytes) < 60 * 2 ** 20);
  // Headers and acknowledgements are sent, too: the transfer is over for some seconds by now.
  const sent = kernelSent(sight);
  for (const { id: allocationId } of [worker, sink]) {
    await under.devices.releaseDevice({ allocationId });
  }
  await assertSound(under);
  const network = await billed(worker.id, 4);
  assert.ok(network >= sent && network < sent * 1.01, `${network} of ${sent}`);
  const { epochs } = await under.devices.getDeviceUsage({ allocationId: worker.id });
  const { firstReadTime, lastReadTime } = epochs[0] ?? {};
  const readMs = Number((lastReadTime?.seconds ?? 0n) - (firstReadTime?.seconds ?? 0n)) * 1000;
  const held = (await billed(worker.id, 2)) / readMs;
  assert.ok(held > 30 * 2 ** 20 && held < 60 * 2 ** 20, `${held} bytes`);
});

it("what runs in a device has no capabilities, gains none, and cannot write where it must not", {
  skip,
}, async () => {
  const { accountId } = await newOwner(under, 1);
  const found = await allocate(under, accountId, {
    ...shell(`${idle}`),
    ...{ readOnly: true, nodeLabels: { at: "0" } },
  });
  const { Id } = await sightOf(found);
  const status = readFileSync(`/proc/${hostPidOf(Id)}/status`, "utf8");
  assert.match(status, /CapEff:\s*0000000000000000/);
  assert.match(status, /NoNewPrivs:\s*1/);
  const socketPath = engines[0]?.socketPath ?? "";
  const path = `/containers/${Id}/json`;
  const { HostConfig, Mounts } = JSON.parse(
    String(await engineRequest(socketPath, { method: "GET", path })),
  );
  assert.deepEqual(
    [HostConfig.Privileged, HostConfig.ReadonlyRootfs, HostConfig.Binds, Mounts],
    [false, true, null, []],
  );
  assert.equal(HostConfig.MemorySwap, HostConfig.Memory);
  await under.devices.releaseDevice({ allocationId: found.id });
});

it("a device that takes more memory than it reserved ends, and its bill says why", {
  skip,
}, async () => {
  const { accountId } = await newOwner(under, 1);
  const greedy = await allocate(under, accountId, {
    ...shell("sleep 1; hold=$(head -c 125829120 /dev/zero | tr '\\0' x); sleep 60"),
    ...{ memoryMb: 32n, nodeLabels: { at: "0" } },
  });
  const ended = await awaitState(under, greedy.id, "RELEASED");
  assert.equal(ended.endReason, EndReason.CONTAINER_EXITED);
  assert.match(ended.endNote, /exit code 137|out of memory/);
});

it("an image that is not there, and a command that is not, cost nothing", { skip }, async () => {
  const { accountId } = await newOwner(under, 1);
  await assert.rejects(
    allocate(under, accountId, { image: "farebox/nothing:1" }),
    /DEVICE_START_FAILED/,
  );
  // The engine starts its own first process, which then finds nothing to run: that may be seen at once, or a tick later.
  const asked = await allocate(under, accountId, { command: ["/nothing"] }).catch(() => undefined);
  if (asked !== undefined) {
    const ended = await awaitState(under, asked.id, "RELEASED");
    assert.match(ended.endNote, /exit code 127/);
    assert.equal(ended.durationSeconds, 0n);
  }
  await assertSound(under);
  const { balance } = await under.billing.checkBalance({ accountId });
  assert.equal(balance?.available?.amountNanos, 1_000_000_000n);
});

it("dockerd is killed under running devices: they end where they were last seen, and the node goes on", {
  skip,
}, async () => {
  const { accountId } = await newOwner(under, 1);
  const [engine] = engines;
  assert.ok(engine);
  const burner = await allocate(under, accountId, {
    ...shell("while true; do :; done"),
    nodeLabels: { at: "0" },
  });
  await awaitCondition("a sample", async () => {
    const { epochs } = await under.devices.getDeviceUsage({ allocationId: burner.id });
    return (epochs[0]?.sampleCount ?? 0n) > 1n;
  });
  await engine.kill();
  const silent = under.logged.length;
  await awaitCondition("the node found silent", () =>
    under.logged.slice(silent).some((line) => line.includes("node.silent")),
  );
  await engine.start();
  const ended = await awaitState(under, burner.id, "RELEASED");
  const { CONTAINER_EXITED, NODE_LOST } = EndReason;
  assert.ok(ended.endReason === CONTAINER_EXITED || ended.endReason === NODE_LOST);
  const next = await awaitCondition("the node goes on", async () =>
    allocate(under, accountId, { ...shell(idle), nodeLabels: { at: "0" } }),
  );
  await under.devices.releaseDevice({ allocationId: next.id });
});

it("a node stops a container whose term is over by itself, with Device away; extensions count", {
  skip,
}, async () => {
  const { accountId } = await newOwner(under, 1);
  const place = { ...shell(idle), nodeLabels: { at: "1" } };
  const short = await allocate(under, accountId, { ...place, duration: durationFromMs(3_000) });
  const long = await allocate(under, accountId, { ...place, duration: durationFromMs(3_000) });
  await under.devices.extendAllocation({
    ...{ requestId: "longer", allocationId: long.id, duration: durationFromMs(60_000) },
  });
  await under.stopDevice();
  const log = createLogger({ name: "warden", level: "silent" });
  const env = { WARDEN_ENGINE_URL: engines[1]?.url, WARDEN_SLACK: "0s", WARDEN_PERIOD: "100ms" };
  {
    await using _warden = await startWarden(readWardenConfig(env), log);
    await awaitCondition("the short one stopped", async () => {
      const { State } = await sightOf(short, 1);
      return State.Running === false;
    });
    assert.equal((await sightOf(long, 1)).State.Running, true);
  }
  await under.startDevice();
  const ended = await awaitState(under, short.id, "RELEASED");
  assert.ok(ended.durationSeconds <= 3n);
  await under.devices.releaseDevice({ allocationId: long.id });
});

it("a term that is over ends the device on a real engine, too", { skip }, async () => {
  const { accountId } = await newOwner(under, 1);
  const { id } = await allocate(under, accountId, {
    ...shell(idle),
    ...{ duration: durationFromMs(2_000), nodeLabels: { at: "1" }, storageMb: 0n },
  });
  const ended = await awaitState(under, id, "RELEASED");
  assert.equal(ended.endReason, EndReason.TERM_ENDED);
  assert.ok(ended.durationSeconds <= 2n);
});
