import { AppError } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import { type Page, type PageRequest, type PageTokens, pageOf } from "@farebox/kit/page-token";
import { chargeDevice } from "@farebox/pricing/device-charge";
import { explainDeviceCharge } from "@farebox/pricing/device-explain";
import type { Allocation, AllocationState } from "../domain/allocation.ts";
import type { DeviceNode } from "../domain/device-node.ts";
import { sumEpochs } from "../domain/epoch.ts";
import { owedUsage } from "../domain/owed-usage.ts";
import { noResources, peakPromised, type Resources } from "../domain/resources.ts";
import type { DeliveryState, UsageWindow } from "../domain/usage-window.ts";
import {
  listAllocations,
  readAllocation,
  readAllocations,
  readCommitments,
} from "../store/allocation-store.ts";
import { readEpochs } from "../store/epoch-store.ts";
import { listNodes } from "../store/node-store.ts";
import { listWindows, readWindow, reviveWindow } from "../store/window-store.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { nodesMax } from "./place-device.ts";
import { termsOf } from "./report-usage.ts";

export type ReadDeps = DeviceDeps & { readonly pageTokens: PageTokens };

/** Reads an allocation of an account, or of any when none is named. Errors: ALLOCATION_NOT_FOUND. */
export async function getAllocation(
  { pool }: Pick<DeviceDeps, "pool">,
  of: { readonly id: string; readonly accountId: string },
): Promise<Allocation> {
  const allocation = await readAllocation(pool, of.id);
  const isTheirs = of.accountId === "" || allocation?.accountId === of.accountId;
  if (allocation === undefined || !isTheirs) throw new AppError("ALLOCATION_NOT_FOUND");
  return allocation;
}

/** Reads in which currency each of these windows is charged. */
export async function readCurrencies(
  pool: DeviceDeps["pool"],
  windows: readonly UsageWindow[],
): Promise<(window: UsageWindow) => string> {
  const allocations = await readAllocations(
    pool,
    windows.map(({ allocationId }) => allocationId),
  );
  return ({ allocationId }) => allocations.get(allocationId)?.currencyCode ?? "";
}

/** Reads a page of allocations, newest first. Errors: PAGE_TOKEN_INVALID. */
export function pageOfAllocations(
  deps: ReadDeps,
  filter: {
    readonly accountId: string;
    readonly state: AllocationState | undefined;
    readonly nodeId: string;
  },
  request: PageRequest,
): Promise<Page<Allocation>> {
  const read = (after: string | undefined, limit: number) =>
    listAllocations(deps.pool, filter, { after, limit });
  const query = { of: "allocations", ...filter };
  return pageOf(deps.pageTokens, query, request, { read, keyOf: ({ id }) => id });
}

/** Reads a page of usage windows, oldest first. Errors: PAGE_TOKEN_INVALID. */
export function pageOfWindows(
  deps: ReadDeps,
  filter: { readonly state: DeliveryState | undefined; readonly allocationId: string },
  request: PageRequest,
): Promise<Page<UsageWindow>> {
  const read = (after: string | undefined, limit: number) =>
    listWindows(deps.pool, filter, {
      after: after === undefined ? undefined : BigInt(after),
      limit,
    });
  const query = { of: "windows", ...filter };
  return pageOf(deps.pageTokens, query, request, { read, keyOf: ({ id }) => String(id) });
}

/** Sends a dead letter again; one that is on its way stays so. Errors: DEAD_LETTER_NOT_FOUND. */
export async function replayWindow(deps: DeviceDeps, id: bigint): Promise<UsageWindow> {
  await reviveWindow(deps.pool, id, deps.clock.nowMs());
  const window = await readWindow(deps.pool, id);
  if (window === undefined) throw new AppError("DEAD_LETTER_NOT_FOUND");
  return window;
}

const listedMax = 100;

/** What an allocation used, and what that comes to by its own rate card. */
export async function readUsage({ pool, rateCards }: DeviceDeps, allocation: Allocation) {
  const { id, rateCardJson, startMs, seenMs, endMs } = allocation;
  const epochs = await readEpochs(pool, id);
  const filter = { state: undefined, allocationId: id };
  const page = { after: undefined, limit: listedMax, isNewestFirst: true };
  const windows = await listWindows(pool, filter, page);
  const watermarkMs = endMs ?? seenMs;
  const counted = sumEpochs(epochs.map(({ epoch }) => epoch));
  const ranMs = startMs === undefined ? 0 : (watermarkMs ?? startMs) - startMs;
  const owed = owedUsage(termsOf(allocation), counted, ranMs);
  const rates = rateCards.of(rateCardJson);
  return {
    epochs: epochs.slice(-listedMax),
    windows: windows.filter(({ kind }) => kind === "REPORT"),
    watermarkMs: startMs === undefined ? undefined : watermarkMs,
    cost: startMs === undefined ? 0n : (chargeDevice(rates, owed, 0n).nanos satisfies Nanos),
    text: startMs === undefined ? "" : explainDeviceCharge(rates.card, owed).text,
  };
}

/** A node, and what is promised of it now. */
export type NodeLoad = {
  readonly node: DeviceNode;
  readonly reserved: Resources;
  readonly devices: number;
};

/** Every node, by name. */
export async function readNodes({ pool, clock }: DeviceDeps): Promise<readonly NodeLoad[]> {
  const nodes = await listNodes(pool, nodesMax);
  return loadsOf(pool, nodes, clock.nowMs());
}

/** What is promised of nodes now. */
export async function loadsOf(
  pool: DeviceDeps["pool"],
  nodes: readonly DeviceNode[],
  nowMs: number,
): Promise<readonly NodeLoad[]> {
  const commitments = await readCommitments(
    pool,
    nodes.map(({ id }) => id),
    nowMs,
  );
  const byNode = Map.groupBy(commitments, ({ nodeId }) => nodeId);
  return nodes.map((node) => {
    const own = (byNode.get(node.id) ?? []).filter(({ startMs }) => startMs <= nowMs);
    const span = { startMs: nowMs, endMs: nowMs + 1 };
    return {
      node,
      reserved: own.length === 0 ? noResources : peakPromised(own, span),
      devices: own.length,
    };
  });
}
