import { AppError } from "@farebox/kit/app-error";
import type { PoolConnection } from "@farebox/kit/mysql";
import { type NodeSight, rankNodes } from "../domain/choose-node.ts";
import type { DeviceAsk } from "../domain/device-ask.ts";
import { type DeviceNode, nodeState } from "../domain/device-node.ts";
import type { PriceModes } from "../domain/owed-usage.ts";
import { peakPromised } from "../domain/resources.ts";
import { readCommitments } from "../store/allocation-store.ts";
import { listNodes, lockNode } from "../store/node-store.ts";
import type { DeviceDeps } from "./device-deps.ts";

/** Nodes that one installation may have. */
export const nodesMax = 1_000;

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
 * comes next: two never get the last room. Answers undefined when no node has room.
 */
export async function placeDevice(
  deps: Pick<DeviceDeps, "clock" | "terms" | "pick">,
  tx: PoolConnection,
  placing: Placing,
): Promise<string | undefined> {
  const nowMs = deps.clock.nowMs();
  const all = await listNodes(tx, nodesMax);
  const active = all.filter((it) => nodeState(it, nowMs, silentMsMax(deps)) === "ACTIVE");
  const wish = { ...placing.ask, modes: placing.modes };
  const sights = await lookAt(tx, active, placing);
  for (const id of rankNodes(sights, wish, deps.pick)) {
    const locked = await lockNode(tx, id);
    if (locked === undefined || locked.isDraining) continue;
    const [sight] = await lookAt(tx, [locked], placing);
    // Somebody else may have taken the room before the lock was ours.
    if (sight && rankNodes([sight], wish, () => 0).length === 1) return id;
  }
  return undefined;
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
): Promise<readonly NodeSight[]> {
  const commitments = await readCommitments(
    tx,
    nodes.map(({ id }) => id),
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
