import { AppError, isRefusal } from "@farebox/kit/app-error";
import type { Allocation } from "../domain/allocation.ts";
import { changePlaced, readAllocation } from "../store/allocation-store.ts";
import { readNode } from "../store/node-store.ts";
import { cancelAllocation } from "./cancel-allocation.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { finishRelease } from "./finish-release.ts";
import { type HoldAnswer, holdMoney } from "./hold-money.ts";
import { holdCost } from "./rate-cards.ts";
import { startContainer } from "./start-container.ts";
import { tendRunning } from "./tend-running.ts";

/**
 * Does the next thing for an allocation, whatever that is: hold its money, start it, charge it, end it. Every step is noted
 * before the next and can be done twice, so that anybody may call this at any time, and several at once do no harm.
 * Errors: ALLOCATION_NOT_FOUND, BILLING_UNAVAILABLE, an engine's silence as DEVICE_START_FAILED; all of them pass, ask again.
 *
 * The janitor starts only what has waited for room or for its time: of anything else the caller was told an error, and a device
 * that nobody knows of would be paid for. A caller who repeats the request goes on; after a while it is cancelled.
 */
export async function advanceAllocation(
  deps: DeviceDeps,
  id: string,
  by: "caller" | "janitor",
): Promise<Allocation> {
  const allocation = await readAllocation(deps.pool, id);
  if (allocation === undefined) throw new AppError("ALLOCATION_NOT_FOUND");
  switch (allocation.state) {
    case "QUEUED":
      return expireQueued(deps, allocation);
    case "PLACED":
      return advancePlaced(deps, allocation, by);
    case "RUNNING":
      return tendRunning(deps, allocation);
    case "RELEASING":
      return finishRelease(deps, allocation);
    default:
      return allocation;
  }
}

async function expireQueued(deps: DeviceDeps, queued: Allocation): Promise<Allocation> {
  if (deps.clock.nowMs() < (queued.queueUntilMs ?? 0)) return queued;
  return cancelAllocation(deps, queued.id, "QUEUE_EXPIRED", "no room came in time", "QUEUED");
}

/** Holds the money of an allocation that has its place, and starts it. */
export async function advancePlaced(
  deps: DeviceDeps,
  placed: Allocation,
  by: "caller" | "janitor",
): Promise<Allocation> {
  const { clock, terms } = deps;
  const { placedMs = placed.createMs } = placed;
  if (clock.nowMs() - placedMs > terms.startPatienceMs) {
    return cancelAllocation(deps, placed.id, "START_FAILED", lateNote(placed));
  }
  if (clock.nowMs() >= (placed.leaseEndMs ?? Infinity)) {
    return cancelAllocation(deps, placed.id, "START_FAILED", "its time has passed");
  }
  const hasWaited = placed.queueUntilMs !== undefined || placed.bookMs !== undefined;
  if (by === "janitor" && !hasWaited) return placed;
  const [held, node] = await Promise.all([
    secureMoney(deps, placed),
    readNode(deps.pool, placed.nodeId),
  ]);
  return held.state === "PLACED" ? startContainer(deps, held, node) : held;
}

function lateNote({ holdState }: Allocation): string {
  return holdState === "ASKED" ? "billing did not answer in time" : "it took too long";
}

/** Holds the money of an allocation that has none yet. That it is asked for was noted when it got its place. */
async function secureMoney(deps: DeviceDeps, placed: Allocation): Promise<Allocation> {
  if (placed.holdState === "HELD" || placed.holdState === "UNSECURED") return placed;
  try {
    const answer = await askFirstHold(deps, placed);
    if (answer.kind === "held") {
      const { leaseId, granted } = answer;
      return await noteHold(deps, placed, { holdState: "HELD", leaseId, hold: granted });
    }
    return await cancelAllocation(deps, placed.id, "NO_MONEY", answer.refusal.reason);
  } catch (error) {
    const isAway = error instanceof AppError && error.reason === "BILLING_UNAVAILABLE";
    if (isAway && deps.terms.isAllowedOnError) {
      return noteHold(deps, placed, { holdState: "UNSECURED" });
    }
    if (isRefusal(error)) {
      // What Billing refuses to consider will never be held: its room is given back at once.
      await noteHold(deps, placed, { holdState: "NONE" });
      await cancelAllocation(deps, placed.id, "START_FAILED", `billing refused: ${error.reason}`);
    }
    throw error;
  }
}

/** The first question for money, spelled alike however often it is asked. Errors: as `holdMoney`. */
export function askFirstHold(
  deps: Pick<DeviceDeps, "billing" | "rateCards">,
  allocation: Allocation,
): Promise<HoldAnswer> {
  const { ask, rateCardJson } = allocation;
  const amount = holdCost(deps.rateCards.of(rateCardJson), ask);
  return holdMoney(deps, allocation, {
    ...{ name: "hold", amount, leaseId: "", restMs: ask.termMs },
  });
}

/** In one statement: what was cancelled meanwhile stays so, and whoever did that asks Billing again what became of the hold. */
async function noteHold(
  deps: DeviceDeps,
  placed: Allocation,
  hold: Partial<Pick<Allocation, "holdState" | "leaseId" | "hold">>,
): Promise<Allocation> {
  if (await changePlaced(deps.pool, placed.id, hold)) return { ...placed, ...hold };
  const now = await readAllocation(deps.pool, placed.id);
  if (now === undefined) throw new AppError("ALLOCATION_NOT_FOUND");
  return now;
}
