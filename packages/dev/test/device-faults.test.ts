import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { AppError } from "@farebox/kit/app-error";
import { newUuidText } from "@farebox/kit/ids";
import { AllocationState, EndReason } from "@farebox/proto/farebox/device/v1/allocation";
import {
  type EngineFault,
  openReplayEngine,
  type ReplayEngine,
} from "../src/engines/replay-engine.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import {
  allocate,
  assertSound,
  awaitReported,
  awaitState,
  chargesOf,
  type DeviceUnderTest,
  moneyOf,
  newOwner,
  startDeviceForTest,
  wishOf,
} from "./device-under-test.ts";

let under: DeviceUnderTest;
let engine: ReplayEngine;
before(async () => {
  engine = await openReplayEngine(["farebox/busybox:1"]);
  under = await startDeviceForTest({
    DEVICE_CPU_PRICE: "USED",
    DEVICE_MEMORY_PRICE: "USED",
    DEVICE_PER_ACCOUNT_MAX: "2000",
  });
  await register();
});
after(async () => {
  await under?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
});

/** What every container of an allocation has used, all its runs together. */
function truthOf(allocationId: string): { cpu: number; sent: number } {
  const { past } = engine.of(allocationId);
  return {
    cpu: past.reduce((sum, it) => sum + it.cpuNanoseconds, 0),
    sent: past.reduce((sum, it) => sum + it.sentBytes, 0),
  };
}

/** What of an allocation Billing has charged for, by dimension. */
async function billedOf(allocationId: string): Promise<{ cpu: number; sent: number }> {
  const charges = await chargesOf(under, allocationId);
  const sum = (dimension: number) =>
    charges
      .flatMap(({ quantities }) => quantities)
      .filter((it) => it.dimension === dimension)
      .reduce((all, it) => all + Number(it.counted), 0);
  return { cpu: sum(1), sent: sum(4) };
}

/** A replayed node is taken to measure everything: what it can is the test's to say. */
async function register(): Promise<void> {
  await under.devices.registerNode({ displayName: "one", engineUrl: engine.url });
  await under.pool.query(
    "UPDATE node SET measures_cpu = 1, measures_memory = 1, measures_network = 1",
  );
}

it("a container that is restarted between two samples is billed for all of its runs", async () => {
  const { accountId } = await newOwner(under, 1);
  engine.load = { cpuShare: 1, memoryBytes: 40 << 20, sentPerSecond: 1_000_000 };
  const { id } = await allocate(under, accountId);
  const container = engine.of(id);
  for (let runs = 0; runs < 4; runs += 1) {
    await awaitCondition("some figures of this run", async () => {
      const { epochs } = await under.devices.getDeviceUsage({ allocationId: id });
      return epochs.some((it) => it.startedAt === container.startedAt && it.sampleCount > 1n);
    });
    engine.restart(container);
  }
  await under.devices.releaseDevice({ allocationId: id });
  await assertSound(under);
  const truth = truthOf(id);
  const billed = await billedOf(id);
  const { epochs } = await under.devices.getDeviceUsage({ allocationId: id });
  const seen = epochs.map(({ cpuNanoseconds }) => Number(cpuNanoseconds));
  assert.equal(seen.length, 5);
  assert.ok(seen.every((cpu) => cpu > 0));
  assert.equal(
    billed.cpu,
    seen.reduce((sum, cpu) => sum + cpu, 0),
  );
  assert.ok(billed.cpu <= truth.cpu && billed.sent <= truth.sent);
  assert.ok((seen.at(-1) ?? 0) >= container.polled.cpuNanoseconds, "the last sample counts");
});

it("three collectors at once bill what one would", async () => {
  const { accountId } = await newOwner(under, 1);
  await using _second = await under.startAnother();
  await using _third = await under.startAnother();
  const { id } = await allocate(under, accountId);
  // Nobody keeps the node to itself: each takes it from the others, again and again.
  for (let times = 0; times < 10; times += 1) {
    await under.pool.query("UPDATE node SET collector_until = NULL");
    const { epochs: before } = await under.devices.getDeviceUsage({ allocationId: id });
    const count = before[0]?.sampleCount ?? 0n;
    await awaitCondition("another sample", async () => {
      const { epochs } = await under.devices.getDeviceUsage({ allocationId: id });
      return (epochs[0]?.sampleCount ?? 0n) > count;
    });
  }
  await under.devices.releaseDevice({ allocationId: id });
  await assertSound(under);
  await assertAllSeen(id);
});

it("an engine that answers with zeros is not billed by use, and that is counted", async () => {
  const { accountId } = await newOwner(under, 1);
  const { id } = await allocate(under, accountId);
  const before = await billedAfter(id, 1);
  engine.flavour = "gvisor";
  await awaitCondition("an alarm", async () => {
    const text = await (await fetch(`${under.opsUrl}/metrics`)).text();
    return Number(/^\w*device_unmeasured_total (\d+)/m.exec(text)?.[1] ?? 0) > 2;
  });
  const { epochs } = await under.devices.getDeviceUsage({ allocationId: id });
  assert.equal(epochs.length, 1);
  // A later answer that says something tells of all that was used meanwhile.
  engine.flavour = "docker-v2";
  await billedAfter(id, before + 1);
  await under.devices.releaseDevice({ allocationId: id });
  engine.flavour = "docker-v1";
  await assertSound(under);
  await assertAllSeen(id);
});

/** Of a container that ran once: billed is what its engine was last asked for before the stop, or more, and never beyond the truth. */
async function assertAllSeen(allocationId: string): Promise<void> {
  const { cpu } = await billedOf(allocationId);
  assert.ok(cpu <= truthOf(allocationId).cpu);
  assert.ok(cpu >= engine.of(allocationId).polled.cpuNanoseconds);
  assert.ok(cpu > 0);
}

async function billedAfter(allocationId: string, samples: number): Promise<number> {
  return awaitCondition("samples", async () => {
    const { epochs } = await under.devices.getDeviceUsage({ allocationId });
    const count = Number(epochs[0]?.sampleCount ?? 0n);
    return count > samples && count;
  });
}

it("a create whose answer is lost makes one container, one hold and one charge", async () => {
  const { accountId } = await newOwner(under, 1);
  for (const kind of ["cut-before", "cut-after"] as const) {
    for (const path of [/^\/containers\/create/, /\/start$/, /\/json$/]) {
      const created = engine.created;
      const method = path.test("/x/json") ? "GET" : "POST";
      // The list of containers is asked for by the collector, too: only an inspection is meant.
      const only = method === "GET" ? /^\/containers\/(?!json)[^/]+\/json$/ : path;
      engine.fault({ method, path: only, times: 1, kind });
      const wish = wishOf(accountId);
      const allocation = await awaitCondition("the same request answered", async () => {
        const { allocation: it } = await under.devices.allocateDevice(wish);
        return it;
      });
      assert.equal(allocation.state, AllocationState.RUNNING);
      assert.equal(engine.created, created + 1);
      await under.devices.releaseDevice({ allocationId: allocation.id });
    }
  }
  await awaitReported(under);
  assert.equal((await moneyOf(under, accountId))[1], 0n);
  assert.equal(engine.containers.size, 0);
  await assertSound(under);
});

it("fifty requests of one id at once are one device and fifty equal answers", async () => {
  const { accountId } = await newOwner(under, 1);
  const wish = wishOf(accountId);
  const created = engine.created;
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => under.devices.allocateDevice(wish)),
  );
  assert.equal(new Set(answers.map(({ allocation }) => allocation?.id)).size, 1);
  assert.equal(engine.created, created + 1);
  const allocationId = answers[0]?.allocation?.id ?? "";
  await assert.rejects(
    under.devices.allocateDevice({ ...wish, memoryMb: 65n }),
    (error) => error instanceof AppError && error.reason === "REQUEST_ID_REUSED",
  );
  const released = await Promise.all(
    Array.from({ length: 50 }, () => under.devices.releaseDevice({ allocationId })),
  );
  const ends = released.map(({ allocation }) => [allocation?.state, allocation?.durationSeconds]);
  assert.equal(new Set(ends.map(String)).size, 1);
  assert.equal(ends[0]?.[0], AllocationState.RELEASED);
  await awaitReported(under);
  const periods = (await chargesOf(under, allocationId)).map((it) => it.requestId);
  assert.equal(new Set(periods).size, periods.length);
  await assertSound(under);
});

it("a crash ends the allocation where it was last seen, and says how", async () => {
  const { accountId } = await newOwner(under, 1);
  const { id } = await allocate(under, accountId);
  await billedAfter(id, 2);
  engine.crash(engine.of(id), 139);
  const ended = await awaitState(under, id, "RELEASED");
  assert.equal(ended.endReason, EndReason.CONTAINER_EXITED);
  assert.match(ended.endNote, /exit code 139/);
  await assertSound(under);
});

it("a node that is lost and returns within the term goes on; one that is lost for too long is billed until it was last seen", async () => {
  const { accountId } = await newOwner(under, 1);
  const { id } = await allocate(under, accountId);
  await billedAfter(id, 2);
  await engine.cutOff();
  await assert.rejects(
    under.devices.allocateDevice(wishOf(accountId)),
    (error) =>
      error instanceof AppError && ["DEVICE_START_FAILED", "NO_CAPACITY"].includes(error.reason),
  );
  await engine.comeBack();
  const { epochs } = await under.devices.getDeviceUsage({ allocationId: id });
  await billedAfter(id, Number(epochs[0]?.sampleCount ?? 0n) + 2);
  await engine.cutOff();
  const ended = await awaitState(under, id, "RELEASED");
  assert.equal(ended.endReason, EndReason.NODE_LOST);
  // Its container has run on: it is stopped as soon as the node is back, and nobody pays for that.
  await engine.comeBack();
  await awaitCondition("no container left", () => engine.containers.size === 0);
  await assertSound(under);
  const { cpu } = await billedOf(id);
  assert.ok(cpu < truthOf(id).cpu);
});

it("a term that ends while its node is away is billed until the device was last seen", async () => {
  const { accountId } = await newOwner(under, 1);
  const { id } = await allocate(under, accountId, { duration: durationFromMs(3_000) });
  await billedAfter(id, 2);
  await engine.cutOff();
  const ended = await awaitState(under, id, "RELEASED");
  assert.ok(ended.durationSeconds < 3n);
  await engine.comeBack();
  await awaitCondition("no container left", () => engine.containers.size === 0);
  await assertSound(under);
});

it("a release on a node that does not answer is not held up", async () => {
  const { accountId } = await newOwner(under, 1);
  const { id } = await allocate(under, accountId);
  await billedAfter(id, 2);
  await engine.cutOff();
  const { allocation } = await under.devices.releaseDevice({ allocationId: id });
  assert.equal(allocation?.state, AllocationState.RELEASED);
  await engine.comeBack();
  await awaitCondition("no container left", () => engine.containers.size === 0);
  await assertSound(under);
});

it("containers of others are left alone, those of no allocation are removed", async () => {
  const create = async (labels: Record<string, string>) => {
    const { openDockerEngine } = await import("@farebox/device/docker/docker-engine");
    using docker = openDockerEngine(engine.url);
    const resources = { cpuMillis: 100, memoryMb: 10, storageMb: 0 };
    await docker.run({
      ...{ name: newUuidText(), image: "farebox/busybox:1", command: [], environment: {} },
      ...{ isReadOnly: false, resources, network: "bridge", labels },
    });
  };
  const [rows] = await under.pool.query<import("mysql2/promise").RowDataPacket[]>(
    "SELECT LOWER(HEX(id)) AS id FROM installation",
  );
  const installation = String(rows[0]?.id);
  await create({ "farebox.installation": installation, "farebox.allocation": "0".repeat(32) });
  await create({ "farebox.installation": "f".repeat(32), "farebox.allocation": "0".repeat(32) });
  await create({ web: "yes" });
  await awaitCondition("the orphan removed", () => engine.containers.size === 2);
  for (const id of [...engine.containers.keys()]) {
    const { openDockerEngine } = await import("@farebox/device/docker/docker-engine");
    using docker = openDockerEngine(engine.url);
    await docker.remove(id);
  }
});

it("a device whose money ends is warned, has its grace, and stops; more money in time lets it go on", async () => {
  engine.load = { cpuShare: 0.1, memoryBytes: 40 << 20, sentPerSecond: 0 };
  const { accountId } = await newOwner(under, 0.03);
  const wish = { duration: durationFromMs(600_000), networkMb: 1n };
  const { id, hold } = await allocate(under, accountId, wish);
  // Traffic at 100 GB a second: what is left of three cents is gone within a tick or two.
  engine.load = { ...engine.load, sentPerSecond: 100 * 2 ** 30 };
  const ended = await awaitState(under, id, "RELEASED");
  assert.equal(ended.endReason, EndReason.MONEY_ENDED);
  const { redisEvents } = await eventsOf(id);
  assert.deepEqual(
    redisEvents.filter((it) => it !== "device.money_ending"),
    ["device.allocated", "device.money_ended", "device.released"],
  );
  assert.ok((ended.hold?.amountNanos ?? 0n) >= (hold?.amountNanos ?? 0n));
  engine.load = { cpuShare: 0.5, memoryBytes: 40 << 20, sentPerSecond: 0 };
  await assertSound(under);
});

it("a term that ends within the grace of its money ends then, not with the grace", async () => {
  engine.load = { cpuShare: 0.1, memoryBytes: 40 << 20, sentPerSecond: 0 };
  await using slow = await startDeviceForTest({ DEVICE_GRACE: "1m" });
  await slow.devices.registerNode({ displayName: "one", engineUrl: engine.url });
  await slow.pool.query("UPDATE node SET measures_network = 1");
  const { accountId } = await newOwner(slow, 0.03);
  const { id } = await allocate(slow, accountId, {
    ...{ duration: durationFromMs(3_000), networkMb: 1n },
  });
  engine.load = { ...engine.load, sentPerSecond: 100 * 2 ** 30 };
  await awaitCondition("its money ended", async () => {
    const { allocation } = await slow.devices.getAllocation({ allocationId: id });
    return allocation?.stopTime !== undefined;
  });
  const ended = await awaitState(slow, id, "RELEASED");
  assert.equal(ended.endReason, EndReason.TERM_ENDED);
  engine.load = { cpuShare: 0.5, memoryBytes: 40 << 20, sentPerSecond: 0 };
  await assertSound(slow);
});

it("a container that cannot be removed holds up no other", async () => {
  const { accountId } = await newOwner(under, 1);
  const ids = [];
  for (let at = 0; at < 3; at += 1) ids.push((await allocate(under, accountId)).id);
  const stuck = [...engine.containers.values()][0];
  assert.ok(stuck);
  const fault: EngineFault = {
    ...{ method: "DELETE", path: new RegExp(stuck.id), times: 1e9, kind: "refuse" },
  };
  engine.fault(fault);
  await engine.cutOff();
  for (const allocationId of ids) await under.devices.releaseDevice({ allocationId });
  await engine.comeBack();
  await awaitCondition("the others removed", () => engine.containers.size === 1);
  fault.times = 0;
  await awaitCondition("all removed", () => engine.containers.size === 0);
  await assertSound(under);
});

it("a device that sends more than was held for has more held, as it sends", async () => {
  engine.load = { cpuShare: 0.1, memoryBytes: 40 << 20, sentPerSecond: 0 };
  const { accountId } = await newOwner(under, 1);
  const { id } = await allocate(under, accountId, { networkMb: 64n });
  const { allocation: first } = await under.devices.getAllocation({ allocationId: id });
  const before = first?.hold?.amountNanos ?? 0n;
  engine.load = { ...engine.load, sentPerSecond: 2 ** 30 };
  const grown = await awaitCondition("more held", async () => {
    const { allocation } = await under.devices.getAllocation({ allocationId: id });
    const hold = allocation?.hold?.amountNanos ?? 0n;
    return hold > before && hold;
  });
  engine.load = { ...engine.load, sentPerSecond: 0 };
  assert.ok(grown > before);
  const { allocation } = await under.devices.releaseDevice({ allocationId: id });
  assert.equal(allocation?.state, AllocationState.RELEASED);
  engine.load = { cpuShare: 0.5, memoryBytes: 40 << 20, sentPerSecond: 0 };
  await assertSound(under);
  assert.equal((await moneyOf(under, accountId))[1], 0n);
});

async function eventsOf(allocationId: string): Promise<{ redisEvents: readonly string[] }> {
  const { Redis } = await import("ioredis");
  const redis = new Redis(process.env.REDIS_URL ?? "");
  try {
    await awaitCondition("events told", async () => {
      const [rows] = await under.pool.query<import("mysql2/promise").RowDataPacket[]>(
        "SELECT COUNT(*) AS n FROM event_outbox",
      );
      return Number(rows[0]?.n) === 0;
    });
    const entries = await redis.xrange("farebox:events:device", "-", "+");
    const own = entries.filter(([, fields]) => fields.includes(allocationId));
    return { redisEvents: own.map(([, fields]) => fields[fields.indexOf("type") + 1] ?? "") };
  } finally {
    redis.disconnect();
  }
}
