import { createHash } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { fieldError } from "@farebox/kit/app-error";
import { parseId } from "@farebox/kit/ids";
import {
  type Allocation as AllocationMessage,
  type AllocationSchema,
  AllocationState,
  EndReason,
  PriceMode,
} from "@farebox/proto/farebox/device/v1/allocation";
import {
  type AllocateDeviceRequest,
  AllocateDeviceRequestSchema,
  SchedulingStrategy,
} from "@farebox/proto/farebox/device/v1/device_service";
import { type NodeSchema, NodeState } from "@farebox/proto/farebox/device/v1/node";
import { type Allocation, allocationStates } from "../domain/allocation.ts";
import { containerName } from "../domain/container-name.ts";
import { type DeviceAsk, type Strategy, strategies } from "../domain/device-ask.ts";
import { nodeState } from "../domain/device-node.ts";
import type { AllocateInput } from "../operations/allocate-device.ts";
import type { NodeLoad } from "../operations/read-devices.ts";

/** Reads an id as 32 hex digits. Errors: INVALID_ARGUMENT. */
export function fromId(prefix: string, text: string, field: string): string {
  const id = parseId(prefix, text);
  if (id === undefined) throw fieldError(field, `must be ${prefix}_ and 32 hex digits`);
  return id.toString("hex");
}

/** Reads what is asked for. The content is all of the request, as it came, and the time that it books. Errors: INVALID_ARGUMENT. */
export function fromAllocate(
  req: AllocateDeviceRequest,
  of: { readonly networkMb: number; readonly field?: string; readonly bookMs?: number },
): AllocateInput {
  if (req.accountId === "") throw fieldError(`${of.field ?? ""}account_id`, "is missing");
  if (req.duration === undefined) throw fieldError(`${of.field ?? ""}duration`, "is missing");
  const termMs = durationMs(req.duration);
  if (termMs % 1000 !== 0) throw fieldError(`${of.field ?? ""}duration`, "must be whole seconds");
  const cpuMillis = Math.round(req.cpuCores * 1000);
  const ask: DeviceAsk = {
    userId: req.userId,
    image: req.image,
    command: req.command,
    environment: req.environment,
    isReadOnly: req.readOnly,
    resources: {
      cpuMillis,
      memoryMb: Number(req.memoryMb),
      storageMb: Number(req.storageMb),
    },
    termMs,
    strategy: fromStrategy(req.strategy),
    labels: req.labels,
    nodeLabels: req.nodeLabels,
    priority: req.priority,
    networkMb: req.networkMb === 0n ? of.networkMb : Number(req.networkMb),
  };
  return {
    requestId: req.requestId,
    accountId: req.accountId,
    contentSha256: createHash("sha256")
      .update(contentOf(req))
      .update(`@${of.bookMs ?? ""}`)
      .digest("hex"),
    ask,
    bookMs: of.bookMs,
    queueForMs: req.queueFor === undefined ? undefined : durationMs(req.queueFor),
  };
}

/** Maps are written in the order of their keys, so that the same content has the same bytes. */
function contentOf(req: AllocateDeviceRequest): Uint8Array {
  const sorted = (map: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return toBinary(AllocateDeviceRequestSchema, {
    ...req,
    environment: sorted(req.environment),
    labels: sorted(req.labels),
    nodeLabels: sorted(req.nodeLabels),
  });
}

function fromStrategy(strategy: SchedulingStrategy): Strategy {
  return strategies.find((it) => SchedulingStrategy[it] === strategy) ?? "BIN_PACK";
}

export function fromAllocationState(state: AllocationState) {
  return allocationStates.find((it) => AllocationState[it] === state);
}

export function toProtoAllocation(
  allocation: Allocation,
  nowMs: number,
): MessageInitShape<typeof AllocationSchema> {
  const { id, nodeId, ask, startMs, endMs, leaseEndMs, containerId } = allocation;
  const end = endMs ?? Math.min(nowMs, leaseEndMs ?? nowMs);
  const ranMs = startMs === undefined ? 0 : Math.max(0, end - startMs);
  return {
    id: `alc_${id}`,
    deviceId: `dev_${id}`,
    accountId: allocation.accountId,
    userId: ask.userId,
    state: AllocationState[allocation.state],
    endReason: EndReason[allocation.endReason ?? "UNSPECIFIED"],
    endNote: allocation.endNote,
    nodeId: nodeId === "" ? "" : `nod_${nodeId}`,
    containerName: containerId === "" ? "" : containerName(id, leaseEndMs ?? 0),
    image: ask.image,
    cpuCores: ask.resources.cpuMillis / 1000,
    memoryMb: BigInt(ask.resources.memoryMb),
    storageMb: BigInt(ask.resources.storageMb),
    duration: durationFromMs(allocation.termMs),
    labels: { ...ask.labels },
    hold: { amountNanos: allocation.hold, currencyCode: allocation.currencyCode },
    leaseId: allocation.leaseId,
    priceModes: {
      cpu: PriceMode[allocation.modes.cpu],
      memory: PriceMode[allocation.modes.memory],
    },
    durationSeconds: BigInt(Math.floor(ranMs / 1000)),
    createTime: timestampFromMs(allocation.createMs),
    ...times({
      ...{ bookTime: allocation.bookMs, startTime: startMs, leaseEndTime: leaseEndMs },
      ...{ endTime: endMs, stopTime: allocation.stopMs },
    }),
  };
}

type TimeField = "bookTime" | "startTime" | "leaseEndTime" | "endTime" | "stopTime";

function times(
  of: Readonly<Record<TimeField, number | undefined>>,
): Partial<Pick<AllocationMessage, TimeField>> {
  const set = Object.entries(of).flatMap(([name, ms]) =>
    ms === undefined ? [] : [[name, timestampFromMs(ms)]],
  );
  return Object.fromEntries(set);
}

export function toProtoNode(
  { node, reserved, devices }: NodeLoad,
  nowMs: number,
  silentMsMax: number,
): MessageInitShape<typeof NodeSchema> {
  return {
    id: `nod_${node.id}`,
    displayName: node.displayName,
    engineUrl: node.engineUrl,
    state: NodeState[nodeState(node, nowMs, silentMsMax)],
    labels: { ...node.labels },
    cpuCores: node.capacity.cpuMillis / 1000,
    memoryMb: BigInt(node.capacity.memoryMb),
    storageMb: BigInt(node.capacity.storageMb),
    reservedCpuCores: reserved.cpuMillis / 1000,
    reservedMemoryMb: BigInt(reserved.memoryMb),
    reservedStorageMb: BigInt(reserved.storageMb),
    deviceCount: devices,
    measurable: node.measurable,
    engineVersion: node.engineVersion,
    createTime: timestampFromMs(node.createMs),
    ...(node.heartbeatMs === undefined ? {} : { heartbeatTime: timestampFromMs(node.heartbeatMs) }),
  };
}
