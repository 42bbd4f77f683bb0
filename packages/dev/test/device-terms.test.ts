import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { durationFromMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { AppError } from "@farebox/kit/app-error";
import { newUuidText } from "@farebox/kit/ids";
import {
  type Allocation,
  AllocationState,
  EndReason,
} from "@farebox/proto/farebox/device/v1/allocation";
import { DeliveryState } from "@farebox/proto/farebox/device/v1/metering";
import { NodeState } from "@farebox/proto/farebox/device/v1/node";
import { openReplayEngine, type ReplayEngine } from "../src/engines/replay-engine.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import {
  allocate,
  assertSound,
  awaitReported,
  awaitState,
  credit,
  type DeviceUnderTest,
  moneyOf,
  newOwner,
  startDeviceForTest,
  wishOf,
} from "./device-under-test.ts";

let under: DeviceUnderTest;
const engines: ReplayEngine[] = [];
const nodeIds: string[] = [];
before(async () => {
  under = await startDeviceForTest();
  for (const displayName of ["one", "two"]) {
    const engine = await openReplayEngine(["farebox/busybox:1", "evil/image:1"]);
    engines.push(engine);
    const { node } = await under.devices.registerNode({
      ...{ displayName, engineUrl: engine.url, labels: { zone: displayName } },
      // Room for four devices of half a core each.
      ...{ cpuCores: 2, memoryMb: 4096n },
    });
    nodeIds.push(node?.id ?? "");
  }
});
after(async () => {
  await assertSound(under);
  await under?.[Symbol.asyncDispose]();
  for (const engine of engines) await engine[Symbol.asyncDispose]();
});

const isReason = (reason: string) => (error: unknown) =>
  error instanceof AppError && error.reason === reason;
const releaseAll = (allocations: readonly Allocation[]) =>
  under.devices.batchReleaseDevices({
    requests: allocations.map(({ id: allocationId }) => ({ allocationId })),
  });

it("of fifty who ask at once for the last room, one gets it", async () => {
  const { accountId } = await newOwner(under, 10);
  const seven = await under.devices.batchAllocateDevices({
    requests: Array.from({ length: 7 }, () => wishOf(accountId)),
  });
  const got = seven.results.flatMap(({ allocation }) => allocation ?? []);
  assert.equal(got.length, 7);
  const answers = await Promise.allSettled(
    Array.from({ length: 50 }, () => under.devices.allocateDevice(wishOf(accountId))),
  );
  const won = answers.flatMap((it) => (it.status === "fulfilled" ? [it.value.allocation] : []));
  const lost = answers.flatMap((it) => (it.status === "rejected" ? [it.reason.reason] : []));
  assert.equal(won.length, 1);
  assert.deepEqual(new Set(lost), new Set(["NO_CAPACITY"]));
  const { nodes } = await under.devices.listNodes({});
  assert.deepEqual(
    nodes.map((it) => [it.displayName, it.deviceCount, it.reservedCpuCores, it.state]),
    [
      ["one", 4, 2, NodeState.ACTIVE],
      ["two", 4, 2, NodeState.ACTIVE],
    ],
  );
  await releaseAll([...got, ...won.flatMap((it) => it ?? [])]);
});

it("who waits for room is served by priority, and gets what is released", async () => {
  const { accountId } = await newOwner(under, 10);
  const { results } = await under.devices.batchAllocateDevices({
    requests: Array.from({ length: 8 }, () => wishOf(accountId)),
  });
  const all = results.flatMap(({ allocation }) => allocation ?? []);
  const queueFor = durationFromMs(60_000);
  const low = await allocate(under, accountId, { queueFor });
  const high = await allocate(under, accountId, { queueFor, priority: 5 });
  assert.deepEqual([low.state, high.state], [AllocationState.QUEUED, AllocationState.QUEUED]);
  await under.devices.releaseDevice({ allocationId: all[0]?.id ?? "" });
  const served = await awaitState(under, high.id, "RUNNING");
  assert.ok((served.hold?.amountNanos ?? 0n) > 0n);
  const { allocation: still } = await under.devices.getAllocation({ allocationId: low.id });
  assert.equal(still?.state, AllocationState.QUEUED);
  assert.equal(still?.hold?.amountNanos, 0n, "who waits holds no money");
  const { allocation: cancelled } = await under.devices.releaseDevice({ allocationId: low.id });
  assert.deepEqual(
    [cancelled?.state, cancelled?.endReason],
    [AllocationState.CANCELLED, EndReason.RELEASED],
  );
  await releaseAll([...all.slice(1), served]);
});

it("a release that meets a start ends the device, whichever comes first", async () => {
  const { accountId } = await newOwner(under, 10);
  for (let times = 0; times < 20; times += 1) {
    const wish = wishOf(accountId);
    const asked = under.devices.allocateDevice(wish).catch(() => undefined);
    const { RELEASED, CANCELLED } = AllocationState;
    const placed = await awaitCondition("it is there", async () => {
      const { allocations } = await under.devices.listAllocations({ accountId, pageSize: 1 });
      const [newest] = allocations;
      return newest?.state !== RELEASED && newest?.state !== CANCELLED && newest;
    });
    const { allocation } = await under.devices.releaseDevice({ allocationId: placed.id });
    assert.ok(allocation?.state === RELEASED || allocation?.state === CANCELLED);
    await asked;
    const { allocation: still } = await under.devices.getAllocation({ allocationId: placed.id });
    assert.equal(still?.state, allocation.state);
  }
  await awaitCondition("nothing held", async () => (await moneyOf(under, accountId))[1] === 0n);
  await awaitCondition("no container", () => engines.every((it) => it.containers.size === 0));
});

it("a newcomer does not get what somebody who waits would take", async () => {
  const { accountId } = await newOwner(under, 10);
  const nodeLabels = { zone: "one" };
  const big = await allocate(under, accountId, { nodeLabels, cpuCores: 2 });
  const queueFor = durationFromMs(60_000);
  const waiting = await allocate(under, accountId, { nodeLabels, cpuCores: 1, queueFor });
  assert.equal(waiting.state, AllocationState.QUEUED);
  const pollers = Array.from({ length: 10 }, async () => {
    for (let times = 0; times < 20; times += 1) {
      const wish = wishOf(accountId, { nodeLabels, cpuCores: 2 });
      const got = await under.devices.allocateDevice(wish).catch(() => undefined);
      if (got?.allocation) return got.allocation;
    }
    return undefined;
  });
  await under.devices.releaseDevice({ allocationId: big.id });
  const served = await awaitState(under, waiting.id, "RUNNING");
  const passed = (await Promise.all(pollers)).filter((it) => it !== undefined);
  assert.deepEqual(passed, []);
  await releaseAll([served]);
});

it("who waits in vain is told so, and who has no money does not wait at all", async () => {
  const { accountId } = await newOwner(under, 10);
  const { results } = await under.devices.batchAllocateDevices({
    requests: Array.from({ length: 8 }, () => wishOf(accountId)),
  });
  const poor = await newOwner(under, 0);
  const queueFor = durationFromMs(500);
  await assert.rejects(
    under.devices.allocateDevice(wishOf(poor.accountId, { queueFor })),
    isReason("INSUFFICIENT_BALANCE"),
  );
  const wish = wishOf(accountId, { queueFor });
  const { allocation: queued } = await under.devices.allocateDevice(wish);
  const ended = await awaitState(under, queued?.id ?? "", "CANCELLED");
  assert.equal(ended.endReason, EndReason.QUEUE_EXPIRED);
  await assert.rejects(under.devices.allocateDevice(wish), isReason("NO_CAPACITY"));
  await releaseAll(results.flatMap(({ allocation }) => allocation ?? []));
});

it("a booking keeps its room from those who come later, begins in time, and is paid then", async () => {
  const { accountId } = await newOwner(under, 10);
  const bookMs = Date.now() + 3_000;
  const device = wishOf(accountId, { cpuCores: 2, nodeLabels: { zone: "one" } });
  const request = { device, bookTime: timestampFromMs(bookMs) };
  await assert.rejects(
    under.devices.reserveDevice({ ...request, bookTime: timestampFromMs(bookMs - 86_400_000) }),
    isReason("INVALID_ARGUMENT"),
  );
  const { allocation: booking } = await under.devices.reserveDevice(request);
  assert.equal(booking?.state, AllocationState.BOOKED);
  assert.equal((await moneyOf(under, accountId))[1], 0n);
  await assert.rejects(
    under.devices.reserveDevice({ ...request, bookTime: timestampFromMs(bookMs + 1) }),
    isReason("REQUEST_ID_REUSED"),
  );
  // A minute would run into the booking; a second does not.
  const nodeLabels = { zone: "one" };
  await assert.rejects(
    under.devices.allocateDevice(wishOf(accountId, { nodeLabels })),
    isReason("NO_CAPACITY"),
  );
  const short = await allocate(under, accountId, { nodeLabels, duration: durationFromMs(1_000) });
  await assert.rejects(
    under.devices.extendAllocation({
      ...{ requestId: "into the booking", allocationId: short.id },
      duration: durationFromMs(10_000),
    }),
    isReason("NO_CAPACITY"),
  );
  const begun = await awaitState(under, booking?.id ?? "", "RUNNING");
  assert.equal(timestampMs(begun.leaseEndTime ?? timestampFromMs(0)), bookMs + 60_000);
  assert.ok(timestampMs(begun.startTime ?? timestampFromMs(0)) >= bookMs);
  assert.ok((await moneyOf(under, accountId))[1] > 0n);
  await releaseAll([begun]);
});

it("an extension that was noted while Billing was away takes no room that was booked since", async () => {
  const { accountId } = await newOwner(under, 10);
  const nodeLabels = { zone: "one" };
  const mine = await allocate(under, accountId, {
    ...{ nodeLabels, cpuCores: 2, duration: durationFromMs(20_000) },
  });
  const extend = () =>
    under.devices.extendAllocation({
      ...{ requestId: "noted", allocationId: mine.id, duration: durationFromMs(60_000) },
    });
  await under.stopBilling();
  await assert.rejects(extend(), isReason("BILLING_UNAVAILABLE"));
  await under.startBilling();
  const device = wishOf(accountId, { nodeLabels, cpuCores: 2 });
  const bookTime = timestampFromMs(Date.now() + 25_000);
  const { allocation: booking } = await awaitCondition("Billing answers again", () =>
    under.devices.reserveDevice({ device, bookTime }),
  );
  await assert.rejects(extend(), isReason("NO_CAPACITY"));
  await releaseAll([mine, ...(booking ? [booking] : [])]);
});

it("an extension moves the end once, holds more, and is refused without the money", async () => {
  const { accountId } = await newOwner(under, 0.03);
  const it1 = await allocate(under, accountId, {
    duration: durationFromMs(3_600_000),
    cpuCores: 0.1,
  });
  const end = timestampMs(it1.leaseEndTime ?? timestampFromMs(0));
  const extend = (requestId: string, ms: number) =>
    under.devices.extendAllocation({
      ...{ requestId, allocationId: it1.id, duration: durationFromMs(ms) },
    });
  const answers = await Promise.all(Array.from({ length: 10 }, () => extend("once", 60_000)));
  const ends = answers.map(({ allocation }) =>
    timestampMs(allocation?.leaseEndTime ?? timestampFromMs(0)),
  );
  assert.deepEqual(new Set(ends), new Set([end + 60_000]));
  await assert.rejects(extend("once", 61_000), isReason("REQUEST_ID_REUSED"));
  await assert.rejects(extend("all", 28 * 86_400_000), isReason("INSUFFICIENT_BALANCE"));
  await assert.rejects(extend("more", 29 * 86_400_000), isReason("INVALID_ARGUMENT"));
  await credit(under, accountId, 100);
  const { allocation: far } = await extend("all", 28 * 86_400_000);
  assert.equal(
    timestampMs(far?.leaseEndTime ?? timestampFromMs(0)),
    end + 60_000 + 28 * 86_400_000,
  );
  // The node reads the end from the name.
  const name = engines
    .flatMap((it) => [...it.containers.values()])
    .find(({ labels }) => it1.id.includes(labels["farebox.allocation"] ?? "none"))?.name;
  assert.equal(
    name,
    `farebox-${it1.id.slice(4)}-${Math.ceil((end + 60_000 + 28 * 86_400_000) / 1000)}`,
  );
  await releaseAll([it1]);
  await assert.rejects(extend("late", 60_000), isReason("ALLOCATION_WRONG_STATE"));
  await awaitReported(under);
  assert.equal((await moneyOf(under, accountId))[1], 0n);
});

it("a batch of all or nothing leaves nothing when one is refused", async () => {
  const { accountId } = await newOwner(under, 10);
  const requests = Array.from({ length: 9 }, () => wishOf(accountId));
  const { results } = await under.devices.batchAllocateDevices({ requests, allOrNothing: true });
  assert.ok(results.every(({ allocation }) => allocation === undefined));
  // Each stays refused, and none begins again.
  const again = await under.devices.batchAllocateDevices({ requests, allOrNothing: true });
  assert.ok(again.results.every(({ allocation }) => allocation === undefined));
  const { allocations } = await under.devices.listAllocations({ accountId });
  assert.ok(allocations.length >= 8);
  assert.ok(allocations.every((it) => it.endReason === EndReason.ROLLED_BACK));
  await awaitReported(under);
  assert.equal((await moneyOf(under, accountId))[1], 0n);
  await awaitCondition("no container", () => engines.every((it) => it.containers.size === 0));
});

it("a node that is drained keeps its devices and takes no new ones", async () => {
  const { accountId } = await newOwner(under, 10);
  const nodeLabels = { zone: "two" };
  const kept = await allocate(under, accountId, { nodeLabels });
  const another = await openReplayEngine([]);
  engines.push(another);
  await assert.rejects(
    under.devices.registerNode({ displayName: "two", engineUrl: another.url }),
    isReason("INVALID_ARGUMENT"),
  );
  const { node } = await under.devices.drainNode({ nodeId: nodeIds[1] ?? "" });
  assert.equal(node?.state, NodeState.DRAINING);
  const refused = wishOf(accountId, { nodeLabels });
  await assert.rejects(under.devices.allocateDevice(refused), isReason("NO_CAPACITY"));
  const { allocation } = await under.devices.getAllocation({ allocationId: kept.id });
  assert.equal(allocation?.state, AllocationState.RUNNING);
  await under.devices.drainNode({ nodeId: nodeIds[1] ?? "", undo: true });
  const { allocation: again } = await under.devices.allocateDevice(refused);
  await releaseAll([kept, ...(again ? [again] : [])]);
});

it("nobody sees, extends or ends another account's device, however the request spells it", async () => {
  const owner = await newOwner(under, 10);
  const thief = await newOwner(under, 10);
  const mine = await allocate({ devices: under.asKey(owner.key) }, "");
  const devices = under.asKey(thief.key);
  const allocationId = mine.id;
  const { accountId } = owner;
  const request = { allocationId, accountId };
  const notFound = isReason("ALLOCATION_NOT_FOUND");
  const noAccount = isReason("ACCOUNT_NOT_FOUND");
  await assert.rejects(devices.getAllocation({ allocationId }), notFound);
  await assert.rejects(devices.getAllocation(request), noAccount);
  await assert.rejects(devices.getDeviceUsage({ allocationId }), notFound);
  await assert.rejects(devices.releaseDevice({ allocationId }), notFound);
  await assert.rejects(
    devices.extendAllocation({ requestId: "x", allocationId, duration: durationFromMs(1_000) }),
    notFound,
  );
  await assert.rejects(devices.batchReleaseDevices({ requests: [request] }), noAccount);
  const { results } = await devices.batchReleaseDevices({ requests: [{ allocationId }] });
  assert.equal(results[0]?.allocation, undefined);
  await assert.rejects(devices.batchAllocateDevices({ requests: [wishOf(accountId)] }), noAccount);
  const bookTime = timestampFromMs(Date.now() + 60_000);
  await assert.rejects(devices.reserveDevice({ device: wishOf(accountId), bookTime }), noAccount);
  assert.deepEqual((await devices.listAllocations({})).allocations, []);
  for (const call of [
    () => devices.listNodes({}),
    () => devices.registerNode({ displayName: "x", engineUrl: "unix:///x" }),
    () => devices.listUsageWindows({}),
    () => devices.reconcileAllocations({}),
  ]) {
    await assert.rejects(call(), isReason("PERMISSION_DENIED"));
  }
  const { allocation } = await under.asKey(owner.key).releaseDevice({ allocationId });
  assert.equal(allocation?.state, AllocationState.RELEASED);
});

it("what cannot be is refused, naming the field, and leaves nothing", async () => {
  const { accountId } = await newOwner(under, 10);
  // biome-ignore format: a table is read by column
  const cases: [change: Parameters<typeof wishOf>[1], reason: string, field: string][] = [
    [{ image: "evil/image:1" },                        "IMAGE_NOT_ALLOWED",   ""],
    [{ image: "farebox/nothing:1" },                   "DEVICE_START_FAILED", ""],
    [{ image: "" },                                    "INVALID_ARGUMENT",    "image"],
    [{ cpuCores: 0 },                                  "INVALID_ARGUMENT",    "cpu_cores"],
    [{ cpuCores: Number.NaN },                         "INVALID_ARGUMENT",    "cpu_cores"],
    [{ memoryMb: 1n },                                 "INVALID_ARGUMENT",    "memory_mb"],
    [{ duration: durationFromMs(1_500) },              "INVALID_ARGUMENT",    "duration"],
    [{ duration: durationFromMs(0) },                  "INVALID_ARGUMENT",    "duration"],
    [{ duration: durationFromMs(30 * 86_400_000) },    "INVALID_ARGUMENT",    "duration"],
    [{ environment: { "a b": "c" } },                  "INVALID_ARGUMENT",    "environment"],
    [{ requestId: "" },                                "INVALID_ARGUMENT",    "request_id"],
    [{ accountId: "acc_nobody" },                      "ACCOUNT_NOT_FOUND",   ""],
    [{ cpuCores: 64 },                                 "NO_CAPACITY",         ""],
    [{ nodeLabels: { zone: "nowhere" } },              "NO_CAPACITY",         ""],
    [{ cpuCores: 64, queueFor: durationFromMs(60_000) }, "NO_CAPACITY",       ""],
  ];
  for (const [change, reason, field] of cases) {
    await assert.rejects(
      under.devices.allocateDevice(wishOf(accountId, change)),
      (error) =>
        error instanceof AppError &&
        error.reason === reason &&
        (field === "" || (error.metadata.field ?? "").startsWith(field)),
      JSON.stringify(change, (_, value) => (typeof value === "bigint" ? String(value) : value)),
    );
  }
  await assert.rejects(
    under.devices.registerNode({ displayName: "other", engineUrl: engines[0]?.url ?? "" }),
    isReason("INVALID_ARGUMENT"),
  );
  await assert.rejects(
    under.devices.registerNode({ displayName: "gone", engineUrl: "unix:///nowhere/d.sock" }),
    isReason("NODE_UNREACHABLE"),
  );
  await assert.rejects(
    under.devices.drainNode({ nodeId: `nod_${"0".repeat(32)}` }),
    isReason("NODE_NOT_FOUND"),
  );
  await awaitReported(under);
  assert.equal((await moneyOf(under, accountId))[1], 0n);
});

it("a request that Billing refuses to consider keeps no room", async () => {
  const { accountId } = await newOwner(under, 10);
  const userId = "\u{1f600}".repeat(100);
  await assert.rejects(under.devices.allocateDevice(wishOf(accountId, { userId })), AppError);
  const { nodes } = await under.devices.listNodes({});
  assert.deepEqual(
    nodes.map(({ deviceCount }) => deviceCount),
    [0, 0],
  );
  const { windows } = await under.devices.listUsageWindows({ state: DeliveryState.DEAD });
  assert.deepEqual(windows, []);
});

it("a booking whose node is drained begins elsewhere", async () => {
  const { accountId } = await newOwner(under, 10);
  const { allocation: booking } = await under.devices.reserveDevice({
    device: wishOf(accountId),
    bookTime: timestampFromMs(Date.now() + 1_000),
  });
  const nodeId = booking?.nodeId ?? "";
  await under.devices.drainNode({ nodeId });
  const begun = await awaitState(under, booking?.id ?? "", "RUNNING");
  assert.notEqual(begun.nodeId, nodeId);
  await under.devices.drainNode({ nodeId, undo: true });
  await releaseAll([begun]);
});

it("no environment, command or key is logged", async () => {
  const { key } = await newOwner(under, 10);
  const secret = `secret-${newUuidText()}`;
  const asked = under
    .asKey(key)
    .allocateDevice(
      wishOf("", { environment: { PASSWORD: secret }, command: ["sh", "-c", `echo ${secret}`] }),
    );
  const { allocation } = await asked;
  await under.asKey(key).releaseDevice({ allocationId: allocation?.id ?? "" });
  const all = under.logged.join("");
  assert.ok(!all.includes(secret) && !all.includes(key));
});
