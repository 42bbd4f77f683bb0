import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { AppError } from "@farebox/kit/app-error";
import { AllocationState } from "@farebox/proto/farebox/device/v1/allocation";
import { DeliveryState } from "@farebox/proto/farebox/device/v1/metering";
import type { RowDataPacket } from "mysql2/promise";
import { openReplayEngine, type ReplayEngine } from "../src/engines/replay-engine.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import {
  allocate,
  assertSound,
  awaitReported,
  chargesOf,
  type DeviceUnderTest,
  moneyOf,
  newOwner,
  startDeviceForTest,
  wishOf,
} from "./device-under-test.ts";

const isLong = process.env.FAREBOX_TEST_LONG === "1";
const devicesMax = 1_000;
const downMs = isLong ? 60_000 : 3_000;

let under: DeviceUnderTest;
let engine: ReplayEngine;
before(async () => {
  engine = await openReplayEngine(["farebox/busybox:1"], 2_000);
  under = await startDeviceForTest({
    DEVICE_PER_ACCOUNT_MAX: "2000",
    DEVICE_TICK: "2s",
    DEVICE_REPORT_PERIOD: "1h",
    DEVICE_LOST_AFTER: "5m",
  });
  await under.devices.registerNode({ displayName: "one", engineUrl: engine.url });
});
after(async () => {
  await under?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
});

const small = { cpuCores: 0.05, memoryMb: 64n, duration: durationFromMs(3_600_000) };

it(`${devicesMax} releases at once while Billing is down are answered, and each is billed once when it is back`, async () => {
  const { accountId } = await newOwner(under, 100);
  const ids: string[] = [];
  while (ids.length < devicesMax) {
    const requests = Array.from({ length: 100 }, () => wishOf(accountId, small));
    const { results } = await under.devices.batchAllocateDevices({ requests });
    ids.push(...results.flatMap(({ allocation }) => allocation?.id ?? []));
  }
  assert.equal(ids.length, devicesMax);
  await under.stopBilling();
  const released = await Promise.all(
    ids.map((allocationId) =>
      // Answered, or repeated until it is, as the contract says: a thousand at once wait for few connections.
      awaitCondition("a release", () => under.devices.releaseDevice({ allocationId }), 60_000),
    ),
  );
  assert.ok(released.every(({ allocation }) => allocation?.state === AllocationState.RELEASED));
  const { windows } = await under.devices.listUsageWindows({ state: DeliveryState.PENDING });
  assert.ok(windows.length > 0, "the bills wait");
  await assert.rejects(
    under.devices.allocateDevice(wishOf(accountId)),
    (error) => error instanceof AppError && error.reason === "BILLING_UNAVAILABLE",
  );
  // The length of the sleep is the fault itself; nothing is asserted about it.
  await sleep(downMs);
  await under.startBilling();
  await awaitReported(under);
  const [rows] = await under.books.query<RowDataPacket[]>(
    "SELECT COUNT(*) AS n, COUNT(DISTINCT allocation_id) AS allocations FROM device_charge WHERE account_id = ?",
    [accountId],
  );
  assert.deepEqual([Number(rows[0]?.n), Number(rows[0]?.allocations)], [devicesMax, devicesMax]);
  // Whoever was told that Billing is away and did not ask again gets no device, and its money back.
  await awaitCondition("nothing held", async () => {
    const [, held, receivable] = await moneyOf(under, accountId);
    return held === 0n && receivable === 0n;
  });
  assert.equal(engine.created, devicesMax);
  await awaitCondition("no container", () => engine.containers.size === 0);
  await assertSound(under);
});

it("what Billing refuses for good is a dead letter, which is listed and replayed", async () => {
  const { accountId } = await newOwner(under, 1);
  const { id } = await allocate(under, accountId, small);
  // Another charge of the same period: Billing refuses a second one with other content.
  const [rows] = await under.pool.query<RowDataPacket[]>(
    "SELECT CAST(UNIX_TIMESTAMP(start_time) * 1000 AS SIGNED) AS ms FROM allocation WHERE id = UNHEX(?)",
    [id.slice(4)],
  );
  const startMs = Number(rows[0]?.ms);
  const at = (ms: number) => ({
    seconds: BigInt(Math.trunc(ms / 1000)),
    nanos: (ms % 1000) * 1_000_000,
  });
  await under.billing.reportDeviceUsage({
    ...{ requestId: "another", accountId, allocationId: id },
    ...{ periodStart: at(startMs), periodEnd: at(startMs + 1), cpuCores: 1 },
  });
  await under.devices.releaseDevice({ allocationId: id });
  const dead = await awaitCondition("a dead letter", async () => {
    const { windows } = await under.devices.listUsageWindows({
      ...{ state: DeliveryState.DEAD, allocationId: id },
    });
    return windows[0];
  });
  await under.books.query("DELETE FROM device_charge WHERE request_id = 'another'");
  const { window } = await under.devices.replayUsageWindow({ windowId: dead.id });
  assert.equal(window?.state, DeliveryState.PENDING);
  await awaitCondition("no dead letter", async () => {
    const { windows } = await under.devices.listUsageWindows({ allocationId: id });
    return windows.every(({ state }) => state === DeliveryState.DELIVERED);
  });
  assert.equal((await chargesOf(under, id)).length, 1);
  assert.equal((await moneyOf(under, accountId))[1], 0n);
  await assert.rejects(
    under.devices.replayUsageWindow({ windowId: "dut_999999" }),
    (error) => error instanceof AppError && error.reason === "DEAD_LETTER_NOT_FOUND",
  );
});

it("with BILLING_ALLOW_ON_ERROR a device is given while Billing is down, and paid for when it is back", async () => {
  const open = await startDeviceForTest({ BILLING_ALLOW_ON_ERROR: "true" });
  try {
    await open.devices.registerNode({ displayName: "one", engineUrl: engine.url });
    const { accountId } = await newOwner(open, 1);
    // The rate card is known from then on; without it nothing can be priced.
    const first = await allocate(open, accountId, small);
    await open.devices.releaseDevice({ allocationId: first.id });
    await awaitReported(open);
    await open.stopBilling();
    const { id, hold } = await allocate(open, accountId, small);
    assert.equal(hold?.amountNanos, 0n);
    await open.startBilling();
    await awaitCondition("the money held after all", async () => {
      const { allocation } = await open.devices.getAllocation({ allocationId: id });
      return (allocation?.hold?.amountNanos ?? 0n) > 0n;
    });
    await open.stopBilling();
    const second = await allocate(open, accountId, small);
    for (const allocationId of [id, second.id]) await open.devices.releaseDevice({ allocationId });
    await open.startBilling();
    await assertSound(open);
    assert.ok((await chargesOf(open, second.id)).length > 0);
    assert.deepEqual((await moneyOf(open, accountId)).slice(1), [0n, 0n]);
  } finally {
    await open[Symbol.asyncDispose]();
  }
});
