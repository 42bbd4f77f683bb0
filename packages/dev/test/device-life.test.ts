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
