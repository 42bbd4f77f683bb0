import { durationMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { fieldError } from "@farebox/kit/app-error";
import { enforceAccount } from "@farebox/kit/auth-interceptor";
import type { Caller, RpcImpl } from "@farebox/kit/rpc-context";
import { ErrorReason } from "@farebox/proto/farebox/common/v1/error_reason";
import type { DeviceService } from "@farebox/proto/farebox/device/v1/device_service";
import type { Redis } from "ioredis";
import type { Allocation } from "../domain/allocation.ts";
import { allocateDevice } from "../operations/allocate-device.ts";
import { batchAllocate, eachOf, type ItemResult } from "../operations/batch-devices.ts";
import { extendAllocation } from "../operations/extend-allocation.ts";
import {
  getAllocation,
  pageOfAllocations,
  type ReadDeps,
  readUsage,
} from "../operations/read-devices.ts";
import { releaseAllocation } from "../operations/release-allocation.ts";
import { readLive } from "../operations/show-samples.ts";
import { fromAllocate, fromAllocationState, fromId, toProtoAllocation } from "./convert-device.ts";
import { toProtoEpoch, toProtoLive, toProtoWindow } from "./convert-usage.ts";
import { nodeCalls } from "./node-calls.ts";

export type DeviceServiceDeps = ReadDeps & { readonly redis: Redis };

/** `DeviceService`. */
export function deviceService(deps: DeviceServiceDeps): RpcImpl<typeof DeviceService> {
  return { ...oneByOne(deps), ...reading(deps), ...batches(deps), ...nodeCalls(deps) };
}

function oneByOne(deps: DeviceServiceDeps) {
  const { networkMb } = deps.terms;
  const answer = (allocation: Allocation) => ({
    allocation: toProtoAllocation(allocation, deps.clock.nowMs()),
  });
  return {
    allocateDevice: async (req) =>
      answer(await allocateDevice(deps, fromAllocate(req, { networkMb }))),
    reserveDevice: async ({ device, bookTime }, { caller }) => {
      if (device === undefined) throw fieldError("device", "is missing");
      if (bookTime === undefined) throw fieldError("book_time", "is missing");
      keepToOwn(caller, device);
      if (device.queueFor !== undefined) throw fieldError("device.queue_for", "must be unset");
      const bookMs = timestampMs(bookTime);
      const input = fromAllocate(device, { networkMb, field: "device.", bookMs });
      return answer(await allocateDevice(deps, input));
    },
    releaseDevice: async (req) => answer(await release(deps, req)),
    extendAllocation: async ({ requestId, allocationId, accountId, duration }) => {
      const id = fromId("alc", allocationId, "allocation_id");
      await getAllocation(deps, { id, accountId });
      const addedMs = duration === undefined ? 0 : durationMs(duration);
      if (addedMs % 1000 !== 0) throw fieldError("duration", "must be whole seconds");
      return answer(await extendAllocation(deps, { allocationId: id, requestId, addedMs }));
    },
  } satisfies Partial<RpcImpl<typeof DeviceService>>;
}

function reading(deps: DeviceServiceDeps) {
  return {
    getAllocation: async ({ allocationId, accountId }) => {
      const id = fromId("alc", allocationId, "allocation_id");
      const allocation = await getAllocation(deps, { id, accountId });
      return { allocation: toProtoAllocation(allocation, deps.clock.nowMs()) };
    },
    listAllocations: async ({ accountId, state, nodeId, ...page }) => {
      const filter = {
        ...{ accountId, state: fromAllocationState(state) },
        nodeId: nodeId === "" ? "" : fromId("nod", nodeId, "node_id"),
      };
      const { rows, nextPageToken } = await pageOfAllocations(deps, filter, page);
      const nowMs = deps.clock.nowMs();
      return { allocations: rows.map((row) => toProtoAllocation(row, nowMs)), nextPageToken };
    },
    getDeviceUsage: async ({ allocationId, accountId }) => {
      const id = fromId("alc", allocationId, "allocation_id");
      const allocation = await getAllocation(deps, { id, accountId });
      const { epochs, windows, watermarkMs, cost, text } = await readUsage(deps, allocation);
      const { currencyCode, state } = allocation;
      const live = state === "RUNNING" ? await readLive(deps.redis, id) : undefined;
      return {
        allocation: toProtoAllocation(allocation, deps.clock.nowMs()),
        epochs: epochs.map(({ startedAt, epoch }) => toProtoEpoch(startedAt, epoch)),
        windows: windows.map((window) => toProtoWindow(window, currencyCode)),
        ...{ costSoFar: { amountNanos: cost, currencyCode }, text },
        ...(live === undefined ? {} : { live: toProtoLive(live) }),
        ...(watermarkMs === undefined ? {} : { watermark: timestampFromMs(watermarkMs) }),
      };
    },
  } satisfies Partial<RpcImpl<typeof DeviceService>>;
}

function batches(deps: DeviceServiceDeps) {
  const { networkMb } = deps.terms;
  const answer = (result: ItemResult) =>
    result.kind === "done"
      ? { allocation: toProtoAllocation(result.allocation, deps.clock.nowMs()) }
      : { error: ErrorReason[result.error.reason], errorText: result.error.publicMessage };
  return {
    batchAllocateDevices: async ({ requests, allOrNothing }, { caller }) => {
      const inputs = requests.map((req, at) => {
        keepToOwn(caller, req);
        if (allOrNothing && req.queueFor !== undefined) {
          throw fieldError(`requests[${at}].queue_for`, "must be unset with all_or_nothing");
        }
        return fromAllocate(req, { networkMb, field: `requests[${at}].` });
      });
      return { results: (await batchAllocate(deps, inputs, allOrNothing)).map(answer) };
    },
    batchReleaseDevices: async ({ requests }, { caller }) => {
      for (const req of requests) keepToOwn(caller, req);
      return { results: (await eachOf(requests, (req) => release(deps, req))).map(answer) };
    },
  } satisfies Partial<RpcImpl<typeof DeviceService>>;
}

async function release(
  deps: DeviceServiceDeps,
  of: { readonly allocationId: string; readonly accountId: string },
): Promise<Allocation> {
  const id = fromId("alc", of.allocationId, "allocation_id");
  await getAllocation(deps, { id, accountId: of.accountId });
  return releaseAllocation(deps, id, "RELEASED");
}

/** What the transport does for a request, for those within one. Errors: ACCOUNT_NOT_FOUND. */
function keepToOwn(caller: Caller, request: object): void {
  enforceAccount({ scope: "DEVICE", hasAccount: true, hasTenant: false }, caller, request);
}
