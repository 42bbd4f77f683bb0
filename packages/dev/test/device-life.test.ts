import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { AppError } from "@farebox/kit/app-error";
import { AllocationState, EndReason } from "@farebox/proto/farebox/device/v1/allocation";
import { openReplayEngine, type ReplayEngine } from "../src/engines/replay-engine.ts";
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
  under = await startDeviceForTest();
  await under.devices.registerNode({ displayName: "one", engineUrl: engine.url });
});
after(async () => {
  await under?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
});

it("a device is allocated, released, and charged out of its hold, which then returns", async () => {
  const { accountId } = await newOwner(under, 1);
  const allocation = await allocate(under, accountId);
  assert.equal(allocation.state, AllocationState.RUNNING);
  const [, held] = await moneyOf(under, accountId);
  assert.equal(held, allocation.hold?.amountNanos);
  const { allocation: released } = await under.devices.releaseDevice({
    allocationId: allocation.id,
  });
  assert.deepEqual(
    [released?.state, released?.endReason],
    [AllocationState.RELEASED, EndReason.RELEASED],
  );
  await awaitReported(under);
  const charges = await chargesOf(under, allocation.id);
  const charged = charges.reduce((sum, it) => sum + (it.charged?.amountNanos ?? 0n), 0n);
  assert.ok(charged > 0n && charged < held);
  assert.deepEqual(await moneyOf(under, accountId), [1_000_000_000n - charged, 0n, 0n]);
  assert.equal(engine.containers.size, 0);
  await assertSound(under);
});

it("an account without the money is refused, and nothing is left of it", async () => {
  const { accountId } = await newOwner(under, 0.000001);
  const created = engine.created;
  await assert.rejects(
    under.devices.allocateDevice(wishOf(accountId)),
    (error) => error instanceof AppError && error.reason === "INSUFFICIENT_BALANCE",
  );
  assert.equal(engine.created, created);
  await assertSound(under);
});

it("a device ends with its term, and is charged for no longer", async () => {
  const { accountId } = await newOwner(under, 1);
  const { id } = await allocate(under, accountId, { duration: durationFromMs(3_000) });
  const ended = await awaitState(under, id, "RELEASED");
  assert.equal(ended.endReason, EndReason.TERM_ENDED);
  assert.ok(ended.durationSeconds <= 3n);
  await assertSound(under);
});

it("an account has no more devices than it may, and no more wait than may", async () => {
  await using strict = await startDeviceForTest({
    DEVICE_PER_ACCOUNT_MAX: "2",
    DEVICE_QUEUE_MAX: "1",
  });
  await strict.devices.registerNode({ displayName: "one", engineUrl: engine.url, cpuCores: 1 });
  const isReason = (reason: string) => (error: unknown) =>
    error instanceof AppError && error.reason === reason;
  const { accountId } = await newOwner(strict, 1);
  const { accountId: other } = await newOwner(strict, 1);
  const queueFor = durationFromMs(60_000);
  const first = await allocate(strict, accountId, { cpuCores: 1 });
  const waiting = await allocate(strict, accountId, { queueFor });
  assert.equal(waiting.state, AllocationState.QUEUED);
  await assert.rejects(
    strict.devices.allocateDevice(wishOf(accountId, { queueFor })),
    isReason("DEVICE_LIMIT_REACHED"),
  );
  await assert.rejects(
    strict.devices.allocateDevice(wishOf(other, { queueFor })),
    isReason("QUEUE_FULL"),
  );
  for (const { id: allocationId } of [waiting, first]) {
    await strict.devices.releaseDevice({ allocationId });
  }
  await assertSound(strict);
});

it("an account in debt is refused as that", async () => {
  const { accountId } = await newOwner(under, 0.01);
  const amount = { amountNanos: 1_000_000_000n, currencyCode: "USD" };
  await under.billing.deductQuota({
    ...{ requestId: "debt", accountId, charges: [{ requestId: "debt", amount }] },
  });
  await assert.rejects(
    under.devices.allocateDevice(wishOf(accountId)),
    (error) => error instanceof AppError && error.reason === "ACCOUNT_IN_DEBT",
  );
});
