import { AppError, fieldError } from "@farebox/kit/app-error";
import { newUuid } from "@farebox/kit/ids";
import { inTransaction, type PoolConnection } from "@farebox/kit/mysql";
import { EngineError } from "../docker/engine.ts";
import { type DeviceNode, nodeState } from "../domain/device-node.ts";
import type { Resources } from "../domain/resources.ts";
import { readCommitments } from "../store/allocation-store.ts";
import { listNodes, readNode, saveNode, setDraining } from "../store/node-store.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { nodesMax, silentMsMax } from "./place-device.ts";

/**
 * Adds a node, or changes the one of that name, after its engine has answered and was probed. Errors: NODE_UNREACHABLE,
 * INVALID_ARGUMENT for another node's engine.
 */
export async function registerNode(
  deps: DeviceDeps,
  input: {
    readonly displayName: string;
    readonly engineUrl: string;
    readonly labels: Readonly<Record<string, string>>;
    /** What is zero is taken from the engine. */
    readonly capacity: Resources;
    /** Empty probes nothing. */
    readonly probeImage: string;
  },
): Promise<DeviceNode> {
  const { displayName, engineUrl, labels, capacity, probeImage } = input;
  const { installation, terms } = deps;
  try {
    // Its own, and closed again: what is mistyped is not kept.
    using engine = deps.engines.open(engineUrl);
    const found = await engine.describe();
    const measurable =
      probeImage === ""
        ? { cpu: false, memory: false, network: false }
        : await engine.probe(probeImage, { installation, network: terms.network });
    const nowMs = deps.clock.nowMs();
    const node: DeviceNode = {
      id: newUuid().toString("hex"),
      ...{ displayName, engineUrl, labels, measurable, isDraining: false },
      capacity: {
        cpuMillis: capacity.cpuMillis || found.capacity.cpuMillis,
        memoryMb: capacity.memoryMb || found.capacity.memoryMb,
        storageMb: capacity.storageMb,
      },
      engineVersion: found.version,
      ...{ heartbeatMs: nowMs, createMs: nowMs },
    };
    const saved = await inTransaction(deps.pool, async (tx) => {
      await requireSuitable(deps, tx, node, nowMs);
      return saveNode(tx, node);
    });
    if (saved === undefined) throw fieldError("engine_url", "is another node's");
    return saved;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new AppError("NODE_UNREACHABLE", undefined, {
      // For operators, who may know.
      metadata: { field: "engine_url", why: error.message.slice(0, 200) },
      cause: error,
    });
  }
}

/**
 * There are so many nodes at most. The devices of a node live on its engine: another one would know nothing of them. An engine that is silent may be replaced; its
 * devices then end as they were last seen. Errors: INVALID_ARGUMENT.
 */
async function requireSuitable(
  deps: DeviceDeps,
  tx: PoolConnection,
  { displayName, engineUrl }: DeviceNode,
  nowMs: number,
): Promise<void> {
  const nodes = await listNodes(tx, nodesMax);
  const known = nodes.find((it) => it.displayName === displayName);
  if (known === undefined && nodes.length >= nodesMax) {
    throw fieldError("display_name", `would be more than ${nodesMax} nodes`);
  }
  if (known === undefined || known.engineUrl === engineUrl) return;
  if (nodeState(known, nowMs, silentMsMax(deps)) === "LOST") return;
  const promised = await readCommitments(tx, [known.id], nowMs);
  if (promised.length > 0) throw fieldError("engine_url", "cannot change while it has devices");
}

/** Keeps a node from taking devices, or lets it again. Errors: NODE_NOT_FOUND. */
export async function drainNode(
  { pool }: DeviceDeps,
  id: string,
  isDraining: boolean,
): Promise<DeviceNode> {
  const isKnown = await setDraining(pool, id, isDraining);
  const node = isKnown ? await readNode(pool, id) : undefined;
  if (node === undefined) throw new AppError("NODE_NOT_FOUND");
  return node;
}
