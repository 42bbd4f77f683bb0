import { timestampMs } from "@bufbuild/protobuf/wkt";
import { fieldError } from "@farebox/kit/app-error";
import type { RpcImpl } from "@farebox/kit/rpc-context";
import type { DeviceService } from "@farebox/proto/farebox/device/v1/device_service";
import { DeliveryState } from "@farebox/proto/farebox/device/v1/metering";
import type { DeviceNode } from "../domain/device-node.ts";
import { deliveryStates } from "../domain/usage-window.ts";
import { silentMsMax } from "../operations/place-device.ts";
import {
  loadsOf,
  pageOfWindows,
  type ReadDeps,
  readCurrencies,
  readNodes,
  replayWindow,
} from "../operations/read-devices.ts";
import { reconcileAllocations } from "../operations/reconcile-allocations.ts";
import { drainNode, registerNode } from "../operations/register-node.ts";
import { fromId, toProtoAllocation, toProtoNode } from "./convert-device.ts";
import { fromWindowId, toProtoWindow } from "./convert-usage.ts";

const dayMs = 86_400_000;

/** The calls of `DeviceService` that operators make. */
export function nodeCalls(deps: ReadDeps) {
  const answer = async (node: DeviceNode) => {
    const nowMs = deps.clock.nowMs();
    const [load] = await loadsOf(deps.pool, [node], nowMs);
    return load === undefined ? {} : { node: toProtoNode(load, nowMs, silentMsMax(deps)) };
  };
  return {
    registerNode: async (req) => {
      requireUrl(req.engineUrl);
      const node = await registerNode(deps, {
        ...{ displayName: req.displayName, engineUrl: req.engineUrl, labels: req.labels },
        capacity: {
          cpuMillis: Math.round(req.cpuCores * 1000),
          memoryMb: Number(req.memoryMb),
          storageMb: Number(req.storageMb),
        },
        probeImage: req.probeImage,
      });
      return answer(node);
    },
    drainNode: async ({ nodeId, undo }) =>
      answer(await drainNode(deps, fromId("nod", nodeId, "node_id"), !undo)),
    listNodes: async () => {
      const nowMs = deps.clock.nowMs();
      const loads = await readNodes(deps);
      return { nodes: loads.map((load) => toProtoNode(load, nowMs, silentMsMax(deps))) };
    },
    listUsageWindows: async ({ state, allocationId, ...page }) => {
      const filter = {
        state: deliveryStates.find((it) => DeliveryState[it] === state),
        allocationId: allocationId === "" ? "" : fromId("alc", allocationId, "allocation_id"),
      };
      const { rows, nextPageToken } = await pageOfWindows(deps, filter, page);
      const currencies = await readCurrencies(deps.pool, rows);
      const windows = rows.map((row) => toProtoWindow(row, currencies(row)));
      return { windows, nextPageToken };
    },
    replayUsageWindow: async ({ windowId }) => {
      const window = await replayWindow(deps, fromWindowId(windowId));
      const currencies = await readCurrencies(deps.pool, [window]);
      return { window: toProtoWindow(window, currencies(window)) };
    },
    reconcileAllocations: async ({ since }, { signal }) => {
      const sinceMs = since === undefined ? deps.clock.nowMs() - dayMs : timestampMs(since);
      const found = await reconcileAllocations(deps, sinceMs, signal);
      const { comparedCount, pendingCount, differences } = found;
      const nowMs = deps.clock.nowMs();
      return {
        ...{ comparedCount, pendingCount },
        differences: differences.map(({ allocation, reported, charged, unmatchedCount }) => {
          const { currencyCode } = allocation;
          return {
            allocation: toProtoAllocation(allocation, nowMs),
            reported: { amountNanos: reported, currencyCode },
            charged: { amountNanos: charged, currencyCode },
            unmatchedCount,
          };
        }),
      };
    },
  } satisfies Partial<RpcImpl<typeof DeviceService>>;
}

/** Errors: INVALID_ARGUMENT. */
function requireUrl(text: string): void {
  const isFine = text.startsWith("unix:///") || URL.canParse(text);
  if (!isFine) throw fieldError("engine_url", "is no URL");
}
