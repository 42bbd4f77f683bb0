import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { AppError } from "@farebox/kit/app-error";
import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { AllocationState } from "@farebox/proto/farebox/device/v1/allocation";
import { DeviceService } from "@farebox/proto/farebox/device/v1/device_service";
import { openReplayEngine, type ReplayEngine } from "../src/engines/replay-engine.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { type FaultStack, openFaultStack } from "../src/faults/open-fault-stack.ts";
import { seededRandom } from "../src/faults/seeded-random.ts";
import { killHard, type Victim } from "../src/faults/strike.ts";

// Owners allocate, extend and release devices while each process is killed in turn, again and again. Afterwards every
// allocation has ended or runs, has had one container, and is charged once for each of its periods; Billing's books agree
// with Device's, nothing is held for what is gone, and no container is left that nobody wants.

const isLong = process.env.FAREBOX_TEST_LONG === "1";
const lives = isLong ? 150 : 24;
const random = seededRandom();
console.log(`FAREBOX_TEST_SEED=${random.seed}`);

let faults: FaultStack;
let engine: ReplayEngine;
let devices: GrpcClient<typeof DeviceService>;
before(async () => {
  engine = await openReplayEngine(["farebox/busybox:1"]);
  faults = await openFaultStack({
    hasDevice: true,
    device: {
      ...{ DEVICE_TICK: "200ms", DEVICE_REPORT_PERIOD: "500ms", DEVICE_LOST_AFTER: "1m" },
      ...{ DEVICE_PER_ACCOUNT_MAX: "1000", USAGE_REPORT_BREAKER_OPEN: "500ms" },
      ...{ USAGE_REPORT_TIMEOUT: "1s", USAGE_REPORT_RETRIES: "1" },
      ...{ DEVICE_RESTART_PATIENCE: "1s", DEVICE_START_PATIENCE: "20s" },
    },
  });
  const { deviceAddress: address = "", serviceToken } = faults.stack.dev;
  devices = createGrpcClient(DeviceService, { address, serviceToken, deadlineMs: 10_000 });
  await devices.registerNode({ displayName: "one", engineUrl: engine.url });
});
after(async () => {
  devices?.close();
  await faults?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
});

function victim(name: string): Victim {
  const found =
    faults.stack.children.get(name) ??
    faults.stack.databases.servers.find((server) => server.name === name);
  assert.ok(found, name);
  return found;
}

/** Repeats a call with the same ids until it is answered, as the contract says. */
async function untilAnswered<T>(what: string, call: () => Promise<T>): Promise<T> {
  return awaitCondition(
    what,
    async () => {
      try {
        return { answer: await call() };
      } catch (error) {
        if (error instanceof AppError && error.reason === "INSUFFICIENT_BALANCE") throw error;
        return undefined;
      }
    },
    60_000,
  ).then(({ answer }) => answer);
}

/** One device's life: it is asked for, perhaps extended, and released, each as often as it takes. */
async function live(accountId: string, name: string): Promise<string> {
  const asked = await untilAnswered(`${name} allocated`, () =>
    devices.allocateDevice({
      ...{ requestId: name, accountId, image: "farebox/busybox:1" },
      ...{ cpuCores: 0.1, memoryMb: 16n, duration: durationFromMs(600_000) },
    }),
  );
  const allocationId = asked.allocation?.id ?? "";
  if (random.below(2) === 0) {
    const duration = durationFromMs(60_000);
    await untilAnswered(`${name} extended`, () =>
      devices.extendAllocation({ requestId: "once", allocationId, duration }),
    );
  }
  const { allocation } = await untilAnswered(`${name} released`, () =>
    devices.releaseDevice({ allocationId }),
  );
  assert.equal(allocation?.state, AllocationState.RELEASED);
  return allocationId;
}

for (const name of ["device", "billing", "mariadb", "redis"]) {
  test(`${name} is killed while devices are allocated, extended and released: each is one container, billed once`, async () => {
    const { accountId } = await faults.office.newCustomer(100_000_000_000n);
    const created = engine.created;
    for (let round = 0; round < (isLong ? 6 : 2); round += 1) {
      let done = 0;
      const running = Array.from({ length: lives }, async (_, at) => {
        // A few at a time, so that the strike meets every step.
        await awaitCondition("a turn", () => at < done + 8);
        await live(accountId, `${name}.${round}.${at}`);
        done += 1;
      });
      await Promise.race([
        Promise.all(running),
        awaitCondition("a moment", () => done >= 1 + random.below(lives / 2)),
      ]);
      await killHard(victim(name));
      await Promise.all(running);
    }
    await judge(accountId);
    assert.equal(engine.created - created, lives * (isLong ? 6 : 2), "one container each");
  });
}

async function judge(accountId: string): Promise<void> {
  await awaitCondition("everything reported and given back", async () => {
    const { pendingCount } = await devices.reconcileAllocations({});
    const { balance } = await faults.office.billing.checkBalance({ accountId });
    return pendingCount === 0 && balance?.held?.amountNanos === 0n;
  });
  const { differences, comparedCount } = await devices.reconcileAllocations({});
  assert.deepEqual(differences, []);
  assert.ok(comparedCount > 0);
  assert.deepEqual(await faults.office.drifts(), []);
  await awaitCondition("no container left", () => engine.containers.size === 0);
}
