import assert from "node:assert/strict";
import type { DescService, MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { readConfig as readBillingConfig } from "@farebox/billing/config";
import { migrate } from "@farebox/billing/migrate";
import { startBilling } from "@farebox/billing/start";
import { readConfig } from "@farebox/device/config";
import { migrateDevice } from "@farebox/device/migrate";
import { startDevice } from "@farebox/device/start";
import { createGrpcClient, type GrpcClient } from "@farebox/kit/grpc-client";
import { newUuidText } from "@farebox/kit/ids";
import { createLogger } from "@farebox/kit/logger";
import type { Pool } from "@farebox/kit/mysql";
import { openTestDatabase } from "@farebox/kit/testing/mysql";
import { AccountService } from "@farebox/proto/farebox/billing/v1/account_service";
import { BillingService } from "@farebox/proto/farebox/billing/v1/billing_service";
import { OperationsService } from "@farebox/proto/farebox/billing/v1/operations_service";
import { ReportService } from "@farebox/proto/farebox/billing/v1/report_service";
import { type Allocation, AllocationState } from "@farebox/proto/farebox/device/v1/allocation";
import {
  type AllocateDeviceRequestSchema,
  DeviceService,
} from "@farebox/proto/farebox/device/v1/device_service";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { freePort } from "../src/free-port.ts";

/** Billing and Device, each on a database of its own, and clients of them. Engines are registered by the test. */
export type DeviceUnderTest = AsyncDisposable & {
  readonly billing: GrpcClient<typeof BillingService>;
  readonly accounts: GrpcClient<typeof AccountService>;
  readonly operations: GrpcClient<typeof OperationsService>;
  readonly reports: GrpcClient<typeof ReportService>;
  readonly devices: GrpcClient<typeof DeviceService>;
  /** Device's own database, and Billing's. */
  readonly pool: Pool;
  readonly books: Pool;
  /** What Device has logged, everything of it. */
  readonly logged: readonly string[];
  readonly opsUrl: string;
  /** A client of Device as the holder of a key. */
  asKey(key: string): GrpcClient<typeof DeviceService>;
  /** Starts another process of Device on the same database; it ends with the others, or when disposed of. */
  startAnother(env?: Readonly<Record<string, string>>): Promise<AsyncDisposable>;
  stopBilling(): Promise<void>;
  startBilling(): Promise<void>;
  stopDevice(): Promise<void>;
  startDevice(): Promise<void>;
};

const serviceToken = "a-service-token-for-tests";
const secrets = {
  SERVICE_TOKENS: serviceToken,
  API_KEY_PEPPER: "a-pepper-for-tests-only",
  PAGE_TOKEN_SECRET: "page-tokens-for-tests",
  LOG_LEVEL: process.env.FAREBOX_TEST_LOG ?? "silent",
};

/** Quick settings: a tick of 200 ms instead of 2 s, and all else in proportion. */
const quick = {
  DEVICE_IMAGES: "farebox/*",
  DEVICE_TICK: "200ms",
  DEVICE_REPORT_PERIOD: "1s",
  DEVICE_LOST_AFTER: "2s",
  DEVICE_RESTART_PATIENCE: "1s",
  DEVICE_GRACE: "1s",
  DEVICE_WARN_BEFORE: "1s",
  DEVICE_STOP_TIMEOUT: "1s",
  DEVICE_START_PATIENCE: "5s",
  USAGE_REPORT_BREAKER_OPEN: "500ms",
};

/** Starts both. */
export async function startDeviceForTest(
  env: Readonly<Record<string, string>> = {},
): Promise<DeviceUnderTest> {
  await using stack = new AsyncDisposableStack();
  const books = stack.use(await openTestDatabase(async (url) => void (await migrate(url))));
  const own = stack.use(await openTestDatabase(async (url) => void (await migrateDevice(url))));
  const ports = { billing: await freePort(), device: await freePort(), ops: await freePort() };
  const silent = createLogger({ name: "test", level: "silent" });
  const billingConfig = readBillingConfig({
    ...secrets,
    DATABASE_URL: books.url,
    BILLING_PORT: String(ports.billing),
    BILLING_OPS_PORT: "0",
    MYSQL_CONNECTIONS: "8",
  });
  const deviceEnv = {
    ...{ ...secrets, ...quick, DEVICE_DATABASE_URL: own.url },
    ...{ DEVICE_PORT: String(ports.device), DEVICE_OPS_PORT: String(ports.ops) },
    BILLING_ADDRESS: `127.0.0.1:${ports.billing}`,
    REDIS_URL: process.env.REDIS_URL,
    ...env,
  };
  const logged: string[] = [];
  const write = (line: string) => {
    logged.push(line);
    if (secrets.LOG_LEVEL !== "silent") process.stderr.write(line);
  };
  const log = createLogger({ name: "device", level: "debug", write });
  const running = new Map<string, AsyncDisposable>();
  const stop = async (name: string) => {
    await running.get(name)?.[Symbol.asyncDispose]();
    running.delete(name);
  };
  const billing = async () =>
    void running.set("billing", await startBilling(billingConfig, silent));
  const device = async () =>
    void running.set("device", await startDevice(readConfig(deviceEnv), log));
  stack.defer(() => stop("billing"));
  await billing();
  stack.defer(() => stop("device"));
  await device();
  const opened = stack.move();
  const client = <S extends DescService>(service: S, port: number, metadata = {}) => {
    const address = `127.0.0.1:${port}`;
    const token = Object.keys(metadata).length > 0 ? {} : { serviceToken };
    const made = createGrpcClient(service, { address, metadata, ...token, deadlineMs: 60_000 });
    opened.defer(() => made.close());
    return made;
  };
  const operations = client(OperationsService, ports.billing);
  return {
    billing: client(BillingService, ports.billing),
    accounts: client(AccountService, ports.billing),
    operations,
    reports: client(ReportService, ports.billing),
    devices: client(DeviceService, ports.device),
    ...{ pool: own.pool, books: books.pool, logged },
    opsUrl: `http://127.0.0.1:${ports.ops}`,
    asKey: (key) => client(DeviceService, ports.device, { authorization: `Bearer ${key}` }),
    startAnother: async (more = {}) => {
      const free = { DEVICE_PORT: "0", DEVICE_OPS_PORT: "0" };
      const another = await startDevice(readConfig({ ...deviceEnv, ...free, ...more }), log);
      let isOpen = true;
      const close = async () => {
        if (isOpen) await another[Symbol.asyncDispose]();
        isOpen = false;
      };
      opened.defer(close);
      return { [Symbol.asyncDispose]: close };
    },
    stopBilling: () => stop("billing"),
    startBilling: async () => {
      await billing();
      await awaitCondition("billing answers", () =>
        operations.runReconciliation({ accountId: "-" }),
      );
    },
    stopDevice: () => stop("device"),
    startDevice: device,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** A new account with so much credit in dollars, and a key for its devices. */
export async function newOwner(
  under: DeviceUnderTest,
  dollars: number,
): Promise<{ readonly accountId: string; readonly key: string }> {
  const name = newUuidText();
  const { account } = await under.accounts.createAccount({ requestId: `new:${name}` });
  const accountId = account?.id ?? "";
  await credit(under, accountId, dollars);
  const { secret: key } = await under.accounts.createApiKey({
    ...{ requestId: `key:${name}`, accountId },
    scopes: ["device", "billing:read"],
  });
  return { accountId, key };
}

export async function credit(
  under: DeviceUnderTest,
  accountId: string,
  dollars: number,
): Promise<void> {
  if (dollars === 0) return;
  const amount = { amountNanos: BigInt(Math.round(dollars * 1e9)), currencyCode: "USD" };
  await under.accounts.grantCredit({ requestId: `credit:${newUuidText()}`, accountId, amount });
}

/** A device of half a core and 64 MB for a minute, with changes. */
export function wishOf(
  accountId: string,
  change: MessageInitShape<typeof AllocateDeviceRequestSchema> = {},
): MessageInitShape<typeof AllocateDeviceRequestSchema> {
  return {
    ...{ requestId: newUuidText(), accountId, image: "farebox/busybox:1" },
    command: ["sh", "-c", "while true; do sleep 1; done"],
    ...{ cpuCores: 0.5, memoryMb: 64n, duration: durationFromMs(60_000) },
    ...change,
  };
}

/** Allocates, and answers the running device. */
export async function allocate(
  under: Pick<DeviceUnderTest, "devices">,
  accountId: string,
  change: MessageInitShape<typeof AllocateDeviceRequestSchema> = {},
): Promise<Allocation> {
  const { allocation } = await under.devices.allocateDevice(wishOf(accountId, change));
  assert.ok(allocation);
  return allocation;
}

/** Waits until an allocation is in a state, and answers it. */
export function awaitState(
  under: Pick<DeviceUnderTest, "devices">,
  allocationId: string,
  state: keyof typeof AllocationState,
): Promise<Allocation> {
  return awaitCondition(`${allocationId} ${state}`, async () => {
    const { allocation } = await under.devices.getAllocation({ allocationId });
    return allocation?.state === AllocationState[state] && allocation;
  });
}

/** Waits until Billing has all that it is to be told. */
export async function awaitReported(under: DeviceUnderTest): Promise<void> {
  await awaitCondition("everything reported", async () => {
    const [rows] = await under.pool.query<import("mysql2/promise").RowDataPacket[]>(
      "SELECT COUNT(*) AS n FROM usage_window WHERE state = 'PENDING'",
    );
    return Number(rows[0]?.n) === 0;
  });
}

/** What Billing charged for an allocation, charge by charge, oldest first. */
export async function chargesOf(under: DeviceUnderTest, allocationId: string) {
  const { charges } = await under.reports.listDeviceCharges({ allocationId, pageSize: 500 });
  return charges.toReversed();
}

/** Available, held and receivable of an account, in nanos. */
export async function moneyOf(
  under: DeviceUnderTest,
  accountId: string,
): Promise<readonly [bigint, bigint, bigint]> {
  const { balance } = await under.billing.checkBalance({ accountId });
  return [
    balance?.available?.amountNanos ?? 0n,
    balance?.held?.amountNanos ?? 0n,
    balance?.receivable?.amountNanos ?? 0n,
  ];
}

/** Fails unless every law of Billing's books holds, and reports and charges agree, period by period. */
export async function assertSound(under: DeviceUnderTest): Promise<void> {
  await awaitReported(under);
  const { drifts } = await under.operations.runReconciliation({ accountId: "" });
  assert.deepEqual(drifts, []);
  const reconciled = await under.devices.reconcileAllocations({});
  assert.deepEqual([reconciled.differences, reconciled.pendingCount], [[], 0]);
}
