import { AppError } from "@farebox/kit/app-error";
import type { PoolConnection } from "@farebox/kit/mysql";
import { type NodeSight, type NodeWish, rankNodes, suits } from "../domain/choose-node.ts";
import type { DeviceAsk } from "../domain/device-ask.ts";
import { type DeviceNode, nodeState } from "../domain/device-node.ts";
import type { PriceModes } from "../domain/owed-usage.ts";
import { noResources, peakPromised } from "../domain/resources.ts";
import { readCommitments } from "../store/allocation-store.ts";
import { listNodes, lockNode } from "../store/node-store.ts";
import type { DeviceDeps } from "./device-deps.ts";

/** Nodes that one installation may have. */
export const nodesMax = 1_000;

/** Where a device goes. */
export type Place = { readonly nodeId: string; readonly isTrafficSold: boolean };

/** What is to be placed, and when it will be there. */
export type Placing = {
  readonly accountId: string;
  readonly ask: DeviceAsk;
  readonly modes: PriceModes;
  readonly startMs: number;
  readonly endMs: number;
};

/**
 * Finds the node for a device and locks it until the transaction ends, so that what the caller writes is counted by whoever
 * comes next: two never get the last room. Answers undefined when no node has room, or somebody who waits goes before. A node
 * that measures no traffic sells none.
 */
export async function placeDevice(
  deps: Pick<DeviceDeps, "clock" | "terms" | "pick">,
  tx: PoolConnection,
  placing: Placing,
  /** Those who go before, if there is room for them: of a newcomer, whoever waits. */
  before: readonly NodeWish[] = [],
): Promise<Place | undefined> {
  const nowMs = deps.clock.nowMs();
  const all = await listNodes(tx, nodesMax);
  const active = all.filter((it) => nodeState(it, nowMs, silentMsMax(deps)) === "ACTIVE");
  const wish = { ...placing.ask, modes: placing.modes };
  for (const id of await rank(deps, tx, active, { placing, wish, nowMs })) {
    const locked = await lockNode(tx, id);
    if (locked === undefined || locked.isDraining) continue;
    const [sight] = await lookAt(tx, [locked], placing, nowMs);
    // Somebody else may have taken the room before the lock was ours.
    if (sight === undefined || !suits(sight, wish)) continue;
    if (before.some((waiting) => suits(sight, waiting))) continue;
    return { nodeId: id, isTrafficSold: locked.measurable.network };
  }
  return undefined;
}

/** The nodes to try, the best first. Where there is but one nothing is to be chosen, and it is looked at once it is locked. */
async function rank(
  { pick }: Pick<DeviceDeps, "pick">,
  tx: PoolConnection,
  active: readonly DeviceNode[],
  of: { readonly placing: Placing; readonly wish: NodeWish; readonly nowMs: number },
): Promise<readonly string[]> {
  if (active.length < 2) return active.map(({ id }) => id);
  return rankNodes(await lookAt(tx, active, of.placing, of.nowMs), of.wish, pick);
}

/** Whether a device would have room on some node that had nothing else, drained and silent ones included. */
export async function couldEverFit(
  tx: PoolConnection,
  { ask, modes }: Pick<Placing, "ask" | "modes">,
): Promise<boolean> {
  const nodes = await listNodes(tx, nodesMax);
  return nodes.some((node) => suits(emptied(node), { ...ask, modes }));
}

function emptied(node: DeviceNode): NodeSight {
  return { ...node, promised: noResources, devices: 0, devicesOfAccount: 0 };
}

/** After how long a node that does not answer takes no more devices: its heart beats once a tick. */
export function silentMsMax({ terms }: Pick<DeviceDeps, "terms">): number {
  return Math.max(5 * terms.tickMs, 2_000);
}

export function noCapacity(): AppError {
  return new AppError("NO_CAPACITY", undefined, { retryAfterMs: 10_000 });
}

async function lookAt(
  tx: PoolConnection,
  nodes: readonly DeviceNode[],
  span: Pick<Placing, "accountId" | "startMs" | "endMs">,
  nowMs: number,
): Promise<readonly NodeSight[]> {
  const commitments = await readCommitments(
    tx,
    nodes.map(({ id }) => id),
    nowMs,
  );
  const byNode = Map.groupBy(commitments, ({ nodeId }) => nodeId);
  return nodes.map(({ id, labels, capacity, measurable }) => {
    const own = byNode.get(id) ?? [];
    return {
      ...{ id, labels, capacity, measurable },
      promised: peakPromised(own, span),
      devices: own.length,
      devicesOfAccount: own.filter((it) => it.accountId === span.accountId).length,
    };
  });
}
