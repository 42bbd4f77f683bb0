import { AppError, fieldError } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import { inTransaction, type PoolConnection } from "@farebox/kit/mysql";
import { EngineError } from "../docker/engine.ts";
import type { Allocation } from "../domain/allocation.ts";
import { containerName } from "../domain/container-name.ts";
import { addResources, fitsInto, peakPromised } from "../domain/resources.ts";
import {
  changeAllocation,
  lockAllocation,
  readAllocation,
  readCommitments,
} from "../store/allocation-store.ts";
import {
  addExtension,
  dropExtension,
  markApplied,
  readExtension,
} from "../store/extension-store.ts";
import { lockNode, readNode } from "../store/node-store.ts";
import { billingUnavailable } from "./billing-unavailable.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { holdMoney } from "./hold-money.ts";
import { nextDue } from "./next-due.ts";
import { noCapacity } from "./place-device.ts";
import { termCost } from "./rate-cards.ts";
import { tellOwner } from "./tell-owner.ts";

const restMsMax = 29 * 86_400_000;

type ExtendInput = {
  readonly allocationId: string;
  readonly requestId: string;
  readonly addedMs: number;
};

/**
 * Moves the end of a running device's term, once for each request id: notes the request, holds what it may cost, then moves the
 * end. A repetition goes on where the first try was lost. Room that is booked by others is not taken.
 * Errors: as `DeviceService.ExtendAllocation`.
 */
export async function extendAllocation(deps: DeviceDeps, input: ExtendInput): Promise<Allocation> {
  const noted = await noteRequest(deps, input);
  if (noted.isApplied) return noted.allocation;
  const { allocation, restMs } = noted;
  const rates = deps.rateCards.of(allocation.rateCardJson);
  const { leaseId } = allocation;
  const answer = await holdMoney(deps, allocation, {
    name: `extend.${input.requestId}`,
    amount: termCost(rates, allocation.ask.resources, input.addedMs),
    ...{ leaseId, restMs },
  });
  if (answer.kind === "denied") {
    await dropExtension(deps.pool, input);
    throw answer.refusal;
  }
  const extended = await apply(deps, input, { granted: answer.granted, restMs });
  await tellNode(deps, extended);
  return extended;
}

async function noteRequest(
  deps: DeviceDeps,
  input: ExtendInput,
): Promise<{
  readonly allocation: Allocation;
  readonly isApplied: boolean;
  readonly restMs: number;
}> {
  const nowMs = deps.clock.nowMs();
  return inTransaction(deps.pool, async (tx) => {
    const allocation = await lockWithNode(tx, input.allocationId);
    const known = await readExtension(tx, input);
    if (known !== undefined && known.addedMs !== input.addedMs) {
      throw new AppError("REQUEST_ID_REUSED");
    }
    if (known?.isApplied) return { allocation, ...known };
    requireRunning(allocation, nowMs);
    // Given without a hold while Billing was away: there is no lease to add to yet.
    if (allocation.leaseId === "") throw billingUnavailable(undefined);
    const { leaseEndMs = nowMs } = allocation;
    requireLimit(allocation, input.addedMs, nowMs);
    await requireRoom(tx, allocation, input.addedMs, nowMs);
    const restMs = known?.restMs ?? leaseEndMs + input.addedMs - nowMs;
    if (known === undefined) await addExtension(tx, { ...input, restMs, nowMs });
    return { allocation, isApplied: false, restMs };
  });
}

/** Locks the node first: room is counted under its lock. */
async function lockWithNode(tx: PoolConnection, id: string): Promise<Allocation> {
  const seen = await readAllocation(tx, id);
  if (seen !== undefined && seen.nodeId !== "") await lockNode(tx, seen.nodeId);
  const allocation = await lockAllocation(tx, id);
  if (allocation === undefined) throw new AppError("ALLOCATION_NOT_FOUND");
  return allocation;
}

function requireLimit({ leaseEndMs = 0 }: Allocation, addedMs: number, nowMs: number): void {
  if (leaseEndMs + addedMs - nowMs <= restMsMax) return;
  throw fieldError("duration", "what is left of the term would be more than 29 days");
}

function requireRunning(allocation: Allocation, nowMs: number): void {
  const { state, leaseEndMs = 0, stopMs } = allocation;
  if (state === "RUNNING" && nowMs < leaseEndMs && stopMs === undefined) return;
  throw new AppError("ALLOCATION_WRONG_STATE", undefined, { metadata: { state } });
}

/** The room after the present end may be booked. */
async function requireRoom(
  tx: PoolConnection,
  { nodeId, leaseEndMs = 0, ask }: Allocation,
  addedMs: number,
  nowMs: number,
): Promise<void> {
  const node = await readNode(tx, nodeId);
  if (node === undefined) throw noCapacity();
  // Its own promise ends where the span begins: it does not count twice.
  const span = { startMs: leaseEndMs, endMs: leaseEndMs + addedMs };
  const promised = peakPromised(await readCommitments(tx, [nodeId], nowMs), span);
  if (!fitsInto(addResources(promised, ask.resources), node.capacity)) throw noCapacity();
}

/** Looks at room and limit once more: others may have booked since. What was held for more returns with the lease. */
async function apply(
  deps: DeviceDeps,
  input: ExtendInput,
  { granted, restMs }: { readonly granted: Nanos; readonly restMs: number },
): Promise<Allocation> {
  const nowMs = deps.clock.nowMs();
  return inTransaction(deps.pool, async (tx) => {
    const locked = await lockWithNode(tx, input.allocationId);
    const known = await readExtension(tx, input);
    if (known?.isApplied) return locked;
    // A repetition of it was denied meanwhile and has forgotten it: without the note it could be applied twice.
    if (known === undefined) await addExtension(tx, { ...input, restMs, nowMs });
    requireRunning(locked, nowMs);
    requireLimit(locked, input.addedMs, nowMs);
    await requireRoom(tx, locked, input.addedMs, nowMs);
    const change = {
      leaseEndMs: (locked.leaseEndMs ?? nowMs) + input.addedMs,
      termMs: locked.termMs + input.addedMs,
      hold: granted > locked.hold ? granted : locked.hold,
    };
    const extended: Allocation = { ...locked, ...change };
    await changeAllocation(tx, locked.id, {
      ...{ ...change, isTermWarned: false },
      dueMs: nextDue(deps.terms, extended),
    });
    await markApplied(tx, input);
    await tellOwner(tx, "device.extended", extended, nowMs, {
      lease_end_time: new Date(change.leaseEndMs).toISOString(),
    });
    return extended;
  });
}

/** Whoever watches on the node reads the end from the name. A node that is silent now is told by the next look at it. */
async function tellNode(deps: DeviceDeps, allocation: Allocation): Promise<void> {
  const node = await readNode(deps.pool, allocation.nodeId);
  if (node === undefined) return;
  const name = containerName(allocation.id, allocation.leaseEndMs ?? 0);
  try {
    await deps.engines.of(node.engineUrl).rename(allocation.containerId, name);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    deps.events.nodeSilent(node, error);
  }
}
