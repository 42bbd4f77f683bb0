import { AppError } from "@farebox/kit/app-error";
import type { Nanos } from "@farebox/kit/money";
import { inTransaction } from "@farebox/kit/mysql";
import { boundDevice } from "@farebox/pricing/device-charge";
import type { Allocation } from "../domain/allocation.ts";
import { owedUsage } from "../domain/owed-usage.ts";
import { type MoneyPlan, type MoneySight, planMoney, shortage } from "../domain/watch-money.ts";
import {
  changeAllocation,
  lockAllocation,
  markWarned,
  readRunning,
} from "../store/allocation-store.ts";
import { sumCounted } from "../store/epoch-store.ts";
import { askFirstHold } from "./advance-allocation.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { holdMoney } from "./hold-money.ts";
import { termCost, trafficCost } from "./rate-cards.ts";
import { nothingCounted } from "./report-usage.ts";
import { tellOwner } from "./tell-owner.ts";

/** How long an account without money is left alone before it is asked again. */
const askAgainMs = 10_000;
const asksAtATime = 8;

/**
 * Compares what every running device has come to cost with what is held for it: holds more where it runs short, warns where
 * there is no more, and says when the device stops. Once a tick; safe in any number of processes.
 */
export async function watchMoney(
  deps: DeviceDeps,
  lastDenied: Map<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const running = await readRunning(deps.pool, undefined);
  const counted = await sumCounted(
    deps.pool,
    running.map(({ id }) => id),
  );
  const short: { readonly allocation: Allocation; readonly sight: MoneySight }[] = [];
  for (const allocation of running) {
    const sight = sightOf(deps, allocation, counted.get(allocation.id) ?? nothingCounted);
    const isUnsecured = allocation.leaseId === "";
    const isStopping = allocation.stopMs !== undefined;
    if (isUnsecured || isStopping || shortage(sight) > 0n) short.push({ allocation, sight });
  }
  forgetEnded(lastDenied, running);
  for (let at = 0; at < short.length && !signal.aborted; at += asksAtATime) {
    const turn = short.slice(at, at + asksAtATime);
    await Promise.all(
      turn.map(({ allocation, sight }) =>
        relieve(deps, allocation, sight, lastDenied).catch((error: unknown) =>
          deps.events.allocationPutOff(allocation.id, error),
        ),
      ),
    );
  }
}

function sightOf(
  { rateCards, clock }: DeviceDeps,
  allocation: Allocation,
  counted: Parameters<typeof owedUsage>[1],
): MoneySight {
  const { ask, modes, hold, rateCardJson, startMs = 0, leaseEndMs = 0, seenMs = 0 } = allocation;
  const rates = rateCards.of(rateCardJson);
  const { resources } = ask;
  const nowMs = clock.nowMs();
  return {
    held: hold,
    spent: boundDevice(rates, owedUsage({ resources, modes }, counted, seenMs - startMs)),
    restCost: termCost(rates, resources, Math.max(0, leaseEndMs - Math.min(nowMs, seenMs))),
    trafficCost: trafficCost(rates, ask.networkMb),
  };
}

/** Holds more, or says what becomes of the device without. */
async function relieve(
  deps: DeviceDeps,
  allocation: Allocation,
  sight: MoneySight,
  lastDenied: Map<string, number>,
): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const deniedMs = lastDenied.get(allocation.id) ?? -Infinity;
  if (nowMs - deniedMs >= askAgainMs) {
    if (await holdMore(deps, allocation, shortage(sight))) return;
    lastDenied.set(allocation.id, nowMs);
  }
  const { leaseEndMs = 0, stopMs } = allocation;
  const { graceMs, warnMs } = deps.terms;
  const restMs = Math.max(0, leaseEndMs - nowMs);
  await carryOut(deps, allocation, planMoney(sight, { nowMs, restMs, graceMs, warnMs, stopMs }));
}

/** True when the money is there now, or it is not known whether it is. */
async function holdMore(deps: DeviceDeps, allocation: Allocation, amount: Nanos): Promise<boolean> {
  const { leaseId, moneyAsks, leaseEndMs = 0 } = allocation;
  try {
    if (leaseId === "") {
      const answer = await askFirstHold(deps, allocation);
      if (answer === "unsecured") return true;
      if (answer.kind === "denied") return false;
      return await noteMore(deps, allocation, answer.leaseId, answer.granted);
    }
    if (amount === 0n) return await noteMore(deps, allocation, leaseId, allocation.hold);
    const answer = await holdMoney(deps, allocation, {
      ...{ name: `more.${moneyAsks}.${amount}`, amount, leaseId },
      restMs: leaseEndMs - deps.clock.nowMs(),
    });
    return answer.kind === "held" && (await noteMore(deps, allocation, leaseId, answer.granted));
  } catch (error) {
    if (error instanceof AppError && error.reason === "BILLING_UNAVAILABLE") return true;
    if (error instanceof AppError) return false;
    throw error;
  }
}

async function noteMore(
  deps: DeviceDeps,
  { id }: Allocation,
  leaseId: string,
  granted: Nanos,
): Promise<true> {
  await inTransaction(deps.pool, async (tx) => {
    const locked = await lockAllocation(tx, id);
    if (locked?.state !== "RUNNING") return;
    const hold = granted > locked.hold ? granted : locked.hold;
    await changeAllocation(tx, id, {
      ...{ holdState: "HELD", leaseId, hold, stopMs: undefined },
      moneyAsks: locked.moneyAsks + 1,
    });
    await markWarned(tx, id, "money", false);
  });
  return true;
}

async function carryOut(deps: DeviceDeps, { id }: Allocation, plan: MoneyPlan): Promise<void> {
  if (plan.kind === "enough" || plan.kind === "stop") return;
  const nowMs = deps.clock.nowMs();
  await inTransaction(deps.pool, async (tx) => {
    const locked = await lockAllocation(tx, id);
    if (locked?.state !== "RUNNING") return;
    if (plan.kind === "warn") {
      if (!(await markWarned(tx, id, "money"))) return;
      const endsAt = new Date(plan.endsMs).toISOString();
      return tellOwner(tx, "device.money_ending", locked, nowMs, { money_end_time: endsAt });
    }
    if (locked.stopMs !== undefined) return;
    await changeAllocation(tx, id, { stopMs: plan.stopMs, dueMs: plan.stopMs });
    const stopAt = new Date(plan.stopMs).toISOString();
    return tellOwner(tx, "device.money_ended", locked, nowMs, { stop_time: stopAt });
  });
}

function forgetEnded(lastDenied: Map<string, number>, running: readonly Allocation[]): void {
  const ids = new Set(running.map(({ id }) => id));
  for (const id of lastDenied.keys()) if (!ids.has(id)) lastDenied.delete(id);
}
