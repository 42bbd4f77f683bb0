import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { migrateDevice } from "@farebox/device/migrate";
import { createGrpcClient } from "@farebox/kit/grpc-client";
import { newUuidText } from "@farebox/kit/ids";
import { DeviceDimension } from "@farebox/proto/farebox/billing/v1/device_usage";
import { ReportService } from "@farebox/proto/farebox/billing/v1/report_service";
import { DeviceService } from "@farebox/proto/farebox/device/v1/device_service";
import { busyboxTag } from "../../engines/busybox-image.ts";
import { awaitCondition } from "../../faults/await-condition.ts";
import { freePort } from "../../free-port.ts";
import { deviceSpec } from "../../stack/device-spec.ts";
import type { Installation } from "../installation.ts";

/** A Device process of the benchmark's own, on one engine. */
export type DeviceBench = AsyncDisposable & {
  pid(): number;
  /** Resolves with the allocation's id when the device runs. */
  allocate(
    accountId: string,
    wish: {
      readonly command: readonly string[];
      readonly cpuCores?: number;
      /** The name of the node it goes to; the real engine's by default. */
      readonly node?: string;
    },
  ): Promise<string>;
  addNode(name: string, engineUrl: string): Promise<void>;
  release(allocationId: string): Promise<void>;
  /** Time of cores that Billing has charged for, once everything was reported. */
  billedCpuNanos(allocationId: string): Promise<number>;
  /** Where reports and charges do not agree, once everything was reported. */
  differences(): Promise<readonly string[]>;
};

/** The node that is a real engine. */
export const realNode = "real";

const reportedMsMax = 60_000;

/** Starts it with the usual tick of 2 s; time of cores is charged by what is measured. */
export async function startDeviceBench(
  installation: Installation,
  engineUrl: string,
): Promise<DeviceBench> {
  const { home, secrets, redisUrl, billingAddress } = installation;
  const ports = { device: await freePort(), deviceOps: await freePort() };
  const url = new URL(installation.databaseUrl);
  url.pathname = `${url.pathname}_device`;
  await migrateDevice(url.href);
  const env = () => ({ DEVICE_PER_ACCOUNT_MAX: "1000", DEVICE_CPU_PRICE: "USED" });
  const request = { home, ports, secrets, redisUrl, billingAddress, upstreamUrl: "", env };
  const child = await installation.start(
    deviceSpec({ ...request, databaseUrl: installation.databaseUrl }, url.href),
  );
  const { serviceToken } = secrets;
  const address = `127.0.0.1:${ports.device}`;
  const devices = createGrpcClient(DeviceService, { address, serviceToken, deadlineMs: 60_000 });
  const reports = createGrpcClient(ReportService, {
    ...{ address: billingAddress, serviceToken, deadlineMs: 60_000 },
  });
  const room = { cpuCores: 256, memoryMb: 262_144n };
  const addNode = async (node: string, url: string) =>
    void (await devices.registerNode({
      ...{ displayName: node, engineUrl: url, labels: { node }, probeImage: busyboxTag },
      ...room,
    }));
  await addNode(realNode, engineUrl);
  const reported = () =>
    awaitCondition(
      "everything reported",
      async () => {
        const found = await devices.reconcileAllocations({});
        return found.pendingCount === 0 && found;
      },
      reportedMsMax,
    );
  return {
    pid: () => child.pid() ?? 0,
    addNode,
    allocate: async (accountId, { command, cpuCores = 0.05, node = realNode }) => {
      const { allocation } = await devices.allocateDevice({
        ...{ requestId: newUuidText(), accountId, image: busyboxTag, command: [...command] },
        ...{ cpuCores, memoryMb: 16n, nodeLabels: { node } },
        ...{ duration: durationFromMs(3_600_000) },
      });
      return allocation?.id ?? "";
    },
    release: async (allocationId) => void (await devices.releaseDevice({ allocationId })),
    billedCpuNanos: async (allocationId) => {
      await reported();
      const { charges } = await reports.listDeviceCharges({ allocationId, pageSize: 500 });
      return charges
        .flatMap(({ quantities }) => quantities)
        .filter(({ dimension }) => dimension === DeviceDimension.CPU)
        .reduce((sum, { counted }) => sum + Number(counted), 0);
    },
    differences: async () => (await reported()).differences.map((it) => it.allocation?.id ?? ""),
    [Symbol.asyncDispose]: async () => {
      devices.close();
      reports.close();
      await child.stop();
    },
  };
}
