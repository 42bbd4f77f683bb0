import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createGrpcClient } from "@farebox/kit/grpc-client";
import { newUuidText } from "@farebox/kit/ids";
import { formatNanos } from "@farebox/kit/money";
import { DeviceService } from "@farebox/proto/farebox/device/v1/device_service";
import { DeliveryState } from "@farebox/proto/farebox/device/v1/metering";
import { busyboxImage, busyboxTag, findStaticBusybox } from "../engines/busybox-image.ts";
import { engineRequest } from "../engines/engine-request.ts";
import { openPrivateEngine, whyNoEngine } from "../engines/private-engine.ts";
import type { DevFile } from "./dev-file.ts";

/** The device that shows a newcomer that everything works: what it cost, and what that came from. */
export type DemoDevice = {
  readonly engine: string;
  readonly seconds: bigint;
  readonly cost: string;
  readonly explanation: string;
};

/** An engine for the demo, or why there is none. */
export type DemoEngine = AsyncDisposable &
  ({ readonly url: string; readonly what: string } | { readonly missing: string });

const defaultSocket = "/var/run/docker.sock";
const runMs = 3_000;
const bookedTries = 200;
const bookedTryMs = 50;

/**
 * Finds a container engine: the one of DOCKER_HOST, the machine's own, or a private one, which is started. The demo's image is
 * made of the machine's busybox and loaded into it: nothing is pulled.
 */
export async function openDemoEngine(): Promise<DemoEngine> {
  const nothing = { [Symbol.asyncDispose]: async () => undefined };
  if (findStaticBusybox() === undefined) {
    return { ...nothing, missing: "there is no static busybox (apt-get install busybox-static)" };
  }
  const socketPath = givenSocket();
  if (socketPath !== undefined) {
    try {
      const call = { method: "POST", path: "/images/load?quiet=1", type: "application/x-tar" };
      await engineRequest(socketPath, { ...call, body: busyboxImage() });
      return { ...nothing, url: `unix://${socketPath}`, what: `the engine at ${socketPath}` };
    } catch {
      // Not running, or not ours to use: a private one may start.
    }
  }
  const why = whyNoEngine();
  if (why !== undefined) return { ...nothing, missing: why };
  try {
    const engine = await openPrivateEngine({ images: [busyboxImage()] });
    const { url } = engine;
    return {
      ...{ url, what: "a private Docker engine" },
      [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
    };
  } catch (error) {
    const said = error instanceof Error ? error.message.split("\n").at(-1) : String(error);
    return { ...nothing, missing: `dockerd does not start here: ${said}` };
  }
}

function givenSocket(): string | undefined {
  const given = process.env.DOCKER_HOST ?? "";
  if (given.startsWith("unix://")) return given.slice("unix://".length);
  return existsSync(defaultSocket) ? defaultSocket : undefined;
}

/** Registers the engine, runs a container on it for some seconds, and waits until Billing has charged for it. */
export async function runDemoDevice(
  dev: Pick<DevFile, "deviceAddress" | "serviceToken" | "demoAccountId">,
  engine: { readonly url: string; readonly what: string },
  stop: AbortSignal,
): Promise<DemoDevice> {
  const { deviceAddress: address = "", serviceToken, demoAccountId: accountId } = dev;
  const devices = createGrpcClient(DeviceService, { address, serviceToken, deadlineMs: 30_000 });
  try {
    await devices.registerNode({ displayName: "demo", engineUrl: engine.url });
    const { allocation } = await devices.allocateDevice({
      ...{ requestId: `demo:${newUuidText()}`, accountId, image: busyboxTag },
      command: ["sh", "-c", "while true; do :; done"],
      ...{ cpuCores: 0.5, memoryMb: 64n, duration: { seconds: 60n, nanos: 0 } },
    });
    const allocationId = allocation?.id ?? "";
    await sleep(runMs, undefined, { signal: stop });
    const { allocation: ended } = await devices.releaseDevice({ allocationId });
    for (let tries = 0; tries < bookedTries; tries += 1) {
      const { windows, text } = await devices.getDeviceUsage({ allocationId });
      const isBooked = windows.every(({ state }) => state === DeliveryState.DELIVERED);
      if (isBooked && windows.length > 0) {
        const nanos = windows.reduce((sum, { charged }) => sum + (charged?.amountNanos ?? 0n), 0n);
        return {
          engine: engine.what,
          seconds: ended?.durationSeconds ?? 0n,
          cost: formatNanos(nanos),
          explanation: text,
        };
      }
      await sleep(bookedTryMs, undefined, { signal: stop });
    }
    throw new Error("Billing has not charged for it yet");
  } finally {
    devices.close();
  }
}
