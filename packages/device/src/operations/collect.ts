import { EngineError } from "../docker/engine.ts";
import type { DeviceNode } from "../domain/device-node.ts";
import { readRunning } from "../store/allocation-store.ts";
import { claimNode, listNodes, readNode, releaseNodes } from "../store/node-store.ts";
import { type CollectDeps, collectNode, type Watched } from "./collect-node.ts";
import { nodesMax } from "./place-device.ts";
import { beginRelease } from "./release-allocation.ts";

/** How many ticks a process may miss before another takes its nodes. */
const claimTicks = 5;

/** Collects from the nodes that this process has claimed, each in a loop of its own, so that a slow one holds up no other. */
export type Collector = AsyncDisposable & {
  /** Looks for nodes that nobody collects from, and begins with them. */
  claim(): Promise<void>;
};

/** Makes a collector that does nothing until `claim` is called. Disposing it gives its nodes back. */
export function createCollector(deps: CollectDeps, collectorId: string): Collector {
  const stopping = new AbortController();
  const loops = new Map<string, Promise<void>>();
  const claimMs = Math.max(claimTicks * deps.terms.tickMs, 5_000);
  const claimOne = (id: string) => {
    const nowMs = deps.clock.nowMs();
    return claimNode(deps.pool, { id, collectorId, nowMs, untilMs: nowMs + claimMs });
  };
  return {
    claim: async () => {
      for (const node of await listNodes(deps.pool, nodesMax)) {
        if (stopping.signal.aborted || loops.has(node.id) || !(await claimOne(node.id))) continue;
        const loop = collectFrom(deps, node.id, claimOne, stopping.signal);
        loops.set(
          node.id,
          loop.finally(() => loops.delete(node.id)),
        );
      }
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await Promise.all(loops.values());
      await releaseNodes(deps.pool, collectorId).catch(() => undefined);
    },
  };
}

/** Looks at a node once a tick for as long as it is claimed. Never rejects. */
async function collectFrom(
  deps: CollectDeps,
  nodeId: string,
  claimOne: (id: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const watched = new Map<string, Watched>();
  const { clock, terms } = deps;
  // While nobody looked nobody knows whether the node was silent.
  const sinceMs = clock.nowMs();
  try {
    while (!signal.aborted) {
      const startMs = clock.monotonicMs();
      if (!(await lookOnce(deps, { nodeId, sinceMs, claimOne, watched }))) return;
      const restMs = terms.tickMs - (clock.monotonicMs() - startMs);
      await clock.sleep(Math.max(restMs, terms.tickMs / 10), signal).catch(() => undefined);
    }
  } finally {
    for (const { stream } of watched.values()) stream[Symbol.dispose]();
  }
}

/** False when the node is another's now. A database that does not answer is no reason to give it up. */
async function lookOnce(
  deps: CollectDeps,
  of: {
    readonly nodeId: string;
    readonly sinceMs: number;
    readonly claimOne: (id: string) => Promise<boolean>;
    readonly watched: Map<string, Watched>;
  },
): Promise<boolean> {
  const { nodeId, sinceMs, claimOne, watched } = of;
  let node: DeviceNode | undefined;
  try {
    if (!(await claimOne(nodeId))) return false;
    node = await readNode(deps.pool, nodeId);
    if (node === undefined) return false;
    await collectNode(deps, node, watched);
  } catch (error) {
    deps.events.nodeSilent(node ?? { id: nodeId, displayName: "" }, error);
    const isSilent = error instanceof EngineError && error.kind === "SILENT";
    if (isSilent && node !== undefined) await endIfLost(deps, node, sinceMs);
  }
  return true;
}

/** Ends the devices of a node that has been silent for too long, as they were last seen. */
async function endIfLost(deps: CollectDeps, node: DeviceNode, sinceMs: number): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const heardMs = Math.max(node.heartbeatMs ?? 0, sinceMs);
  if (nowMs - heardMs < deps.terms.lostAfterMs) return;
  try {
    for (const { id } of await readRunning(deps.pool, node.id)) {
      await beginRelease(deps, id, { reason: "NODE_LOST", note: "its node did not answer" });
    }
  } catch (error) {
    deps.events.nodeSilent(node, error);
  }
}
