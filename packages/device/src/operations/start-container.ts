import { AppError } from "@farebox/kit/app-error";
import { inTransaction } from "@farebox/kit/mysql";
import { EngineError } from "../docker/engine.ts";
import type { Allocation } from "../domain/allocation.ts";
import { containerName } from "../domain/container-name.ts";
import type { DeviceNode } from "../domain/device-node.ts";
import { changePlaced, readAllocation } from "../store/allocation-store.ts";
import { beginEpochs } from "../store/epoch-store.ts";
import { cancelAllocation } from "./cancel-allocation.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { nextDue } from "./next-due.ts";
import { tellOwner } from "./tell-owner.ts";

/**
 * Starts the container of an allocation whose money is held. Billing begins when the engine says that it runs. An engine that
 * refuses cancels the allocation; of one that is silent it is not known, and this is tried again, for a while.
 */
export async function startContainer(
  deps: DeviceDeps,
  held: Allocation,
  node: DeviceNode | undefined,
): Promise<Allocation> {
  if (node === undefined) return cancelAllocation(deps, held.id, "START_FAILED", "no such node");
  const engine = deps.engines.of(node.engineUrl);
  try {
    const { containerId } = await engine.run(specOf(deps, held));
    const sight = await engine.inspect(containerId);
    if (!sight?.isRunning) {
      const code = sight === undefined ? "" : ` with code ${sight.exitCode}`;
      return await cancelAllocation(deps, held.id, "START_FAILED", `it ended at once${code}`);
    }
    return await noteRunning(deps, held, containerId, sight.startedAt);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    deps.events.nodeSilent(node, error);
    if (error.kind === "REFUSED") {
      return cancelAllocation(deps, held.id, "START_FAILED", refusalText(error));
    }
    throw new AppError("DEVICE_START_FAILED", "The node does not answer; repeat the request.", {
      metadata: { why: "the node does not answer" },
      retryAfterMs: 1000,
      cause: error,
    });
  }
}

/** What the owner may know of a refusal; the log has the engine's own words. */
function refusalText({ status }: EngineError): string {
  if (status === 404) return "the image is not on the node";
  return status === 400 ? "the engine cannot run this command" : "the engine refused the container";
}

function specOf({ installation, terms }: DeviceDeps, allocation: Allocation) {
  const { id, accountId, ask, leaseEndMs = 0 } = allocation;
  return {
    name: containerName(id, leaseEndMs),
    image: ask.image,
    command: ask.command,
    environment: ask.environment,
    isReadOnly: ask.isReadOnly,
    resources: ask.resources,
    network: terms.network,
    labels: {
      "farebox.installation": installation,
      "farebox.allocation": id,
      "farebox.account": accountId,
      "farebox.lease_end": new Date(leaseEndMs).toISOString(),
    },
  };
}

async function noteRunning(
  deps: DeviceDeps,
  held: Allocation,
  containerId: string,
  startedAt: string,
): Promise<Allocation> {
  const { id } = held;
  const nowMs = deps.clock.nowMs();
  const change = {
    state: "RUNNING",
    ...{ containerId, startMs: nowMs, seenMs: nowMs, reportedMs: nowMs },
  } as const;
  const running: Allocation = { ...held, ...change };
  const isFirst = await inTransaction(deps.pool, async (tx) => {
    const due = { dueMs: nextDue(deps.terms, running) };
    // Started by somebody else meanwhile, or cancelled: then its container is removed by the next look at the node.
    if (!(await changePlaced(tx, id, { ...change, ...due }))) return false;
    await beginEpochs(tx, [{ allocationId: id, startedAt }]);
    await tellOwner(tx, "device.allocated", running, nowMs);
    return true;
  });
  if (!isFirst) return (await readAllocation(deps.pool, id)) ?? held;
  deps.events.allocationMoved(running);
  return running;
}
