import { AppError, isRefusal } from "@farebox/kit/app-error";
import { maxNanos, type Nanos } from "@farebox/kit/money";
import { inTransaction } from "@farebox/kit/mysql";
import { boundDevice } from "@farebox/pricing/device-charge";
import type { Allocation } from "../domain/allocation.ts";
import type { Counted } from "../domain/epoch.ts";
import { owedUsage, unreported } from "../domain/owed-usage.ts";
import { type MoneyPlan, type MoneySight, planMoney, shortage } from "../domain/watch-money.ts";
import {
  changeAllocation,
  lockAllocation,
  markWarned,
  readRunning,
} from "../store/allocation-store.ts";
import { sumCounted } from "../store/epoch-store.ts";
import { sumCharged } from "../store/window-store.ts";
import { askFirstHold } from "./advance-allocation.ts";
import type { DeviceDeps } from "./device-deps.ts";
import { type HoldAnswer, holdMoney } from "./hold-money.ts";
import { nextDue } from "./next-due.ts";
import { termCost, trafficCost } from "./rate-cards.ts";
import { nothingCounted, termsOf } from "./report-usage.ts";
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
  const ids = running.map(({ id }) => id);
  const counted = await sumCounted(deps.pool, ids);
  const charged = await sumCharged(deps.pool, ids);
  const short: { readonly allocation: Allocation; readonly sight: MoneySight }[] = [];
  for (const allocation of running) {
    const sight = sightOf(
      deps,
      allocation,
      counted.get(allocation.id) ?? nothingCounted,
      charged.get(allocation.id) ?? 0n,
    );
    const isUnsecured = allocation.leaseId === "";
    const isOpen = allocation.stopMs !== undefined || allocation.moneyAsk !== undefined;
    if (isUnsecured || isOpen || shortage(sight) > 0n) short.push({ allocation, sight });
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
  counted: Counted,
  charged: Nanos,
): MoneySight {
  const { ask, hold, reported, rateCardJson, startMs = 0, leaseEndMs = 0, seenMs = 0 } = allocation;
  const rates = rateCards.of(rateCardJson);
  const nowMs = clock.nowMs();
  const owed = owedUsage(termsOf(allocation), counted, seenMs - startMs);
  // What Billing has charged counts as that: rates may have changed since the allocation's own card.
  const byCharges = charged + boundDevice(rates, unreported(owed, reported));
  return {
    held: hold,
    spent: maxNanos(boundDevice(rates, owed), byCharges),
    restCost: termCost(rates, ask.resources, Math.max(0, leaseEndMs - Math.min(nowMs, seenMs))),
    trafficCost: allocation.isTrafficSold ? trafficCost(rates, ask.networkMb) : 0n,
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
    const answer = await holdMore(deps, allocation, shortage(sight));
    if (answer === "held") return;
    // Not known: while something is left there is time to ask again, and where devices are given without Billing they go on.
    const hasTime = sight.held > sight.spent || deps.terms.isAllowedOnError;
    if (answer === "unknown" && hasTime) return;
    if (answer === "denied") lastDenied.set(allocation.id, nowMs);
  }
  const { leaseEndMs = 0, stopMs } = allocation;
  const { graceMs, warnMs } = deps.terms;
  const restMs = Math.max(0, leaseEndMs - nowMs);
  await carryOut(deps, allocation, planMoney(sight, { nowMs, restMs, graceMs, warnMs, stopMs }));
}

async function holdMore(
  deps: DeviceDeps,
  allocation: Allocation,
  amount: Nanos,
): Promise<"held" | "denied" | "unknown"> {
  try {
    if (allocation.leaseId === "") return await holdFirst(deps, allocation);
    // There is enough again, without asking: an extension held it, or the rates fell.
    if (amount === 0n && allocation.moneyAsk === undefined) {
      await noteAnswer(deps, allocation, { kind: "held", ...leaseOf(allocation) });
      return "held";
    }
    const asked = await noteAsk(deps, allocation, amount);
    if (asked === undefined) return "held";
    const answer = await holdMoney(deps, asked, {
      ...{ name: `more.${asked.moneyAsks}`, leaseId: asked.leaseId, ...asked.moneyAsk },
    });
    await noteAnswer(deps, allocation, answer);
    return answer.kind;
  } catch (error) {
    if (error instanceof AppError && !isRefusal(error)) return "unknown";
    if (!isRefusal(error)) throw error;
    // Billing will say no to this question for ever: the next is another one.
    await noteAnswer(deps, allocation, { kind: "denied", refusal: error });
    return "denied";
  }
}

/** What was given while Billing was away. */
async function holdFirst(deps: DeviceDeps, allocation: Allocation): Promise<"held" | "denied"> {
  const answer = await askFirstHold(deps, allocation);
  await noteAnswer(deps, allocation, answer);
  return answer.kind;
}

function leaseOf({ leaseId, hold }: Allocation) {
  return { leaseId, granted: hold };
}

type Asking = Allocation & { readonly moneyAsk: NonNullable<Allocation["moneyAsk"]> };

/** Notes what is asked for before it is: one that was not answered is asked again as it was. Undefined for what has ended. */
function noteAsk(deps: DeviceDeps, { id }: Allocation, amount: Nanos): Promise<Asking | undefined> {
  const nowMs = deps.clock.nowMs();
  return inTransaction(deps.pool, async (tx) => {
    const locked = await lockAllocation(tx, id);
    if (locked?.state !== "RUNNING") return undefined;
    const fresh = { amount, restMs: Math.max(0, (locked.leaseEndMs ?? nowMs) - nowMs) };
    const moneyAsk = locked.moneyAsk ?? fresh;
    if (locked.moneyAsk === undefined) await changeAllocation(tx, id, { moneyAsk });
    return { ...locked, moneyAsk };
  });
}

async function noteAnswer(
  deps: DeviceDeps,
  { id, moneyAsks }: Allocation,
  answer: HoldAnswer,
): Promise<void> {
  await inTransaction(deps.pool, async (tx) => {
    const locked = await lockAllocation(tx, id);
    // Somebody else was answered, or it has ended: then its lease is closed with it.
    if (locked?.state !== "RUNNING" || locked.moneyAsks !== moneyAsks) return;
    const next = { moneyAsk: undefined, moneyAsks: moneyAsks + 1 };
    if (answer.kind === "denied") return changeAllocation(tx, id, next);
    const hold = maxNanos(answer.granted, locked.hold);
    const secured = { ...locked, stopMs: undefined };
    await changeAllocation(tx, id, {
      ...next,
      ...{ holdState: "HELD", leaseId: answer.leaseId, hold, stopMs: undefined },
      dueMs: nextDue(deps.terms, secured),
    });
    await markWarned(tx, id, "money", false);
  });
}

async function carryOut(deps: DeviceDeps, { id }: Allocation, plan: MoneyPlan): Promise<void> {
  if (plan.kind === "enough") return;
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
    const { stopMs } = plan;
    await changeAllocation(tx, id, { stopMs, dueMs: nextDue(deps.terms, { ...locked, stopMs }) });
    const stopAt = new Date(plan.stopMs).toISOString();
    return tellOwner(tx, "device.money_ended", locked, nowMs, { stop_time: stopAt });
  });
}

function forgetEnded(lastDenied: Map<string, number>, running: readonly Allocation[]): void {
  const ids = new Set(running.map(({ id }) => id));
  for (const id of lastDenied.keys()) if (!ids.has(id)) lastDenied.delete(id);
}
