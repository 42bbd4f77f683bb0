import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";
import { type Nanos, nanosPerUnit } from "@farebox/kit/money";
import type { Reason } from "@farebox/kit/reasons";
import type { AskAnswer } from "./domain/grant-plan.ts";
import type { SettlePlan, SettleStatus } from "./domain/settle-plan.ts";

/** What happens to money: a counter each, and a log line where a person may have to act. */
export type MoneyEvents = {
  /** A batch of asks was answered. */
  asksAnswered(answers: readonly AskAnswer[], elapsedMs: number): void;
  /** A batch of usage is durable. */
  usageSettled(settled: {
    readonly statuses: readonly SettleStatus[];
    readonly plans: readonly SettlePlan[];
    readonly elapsedMs: number;
  }): void;
  /** An item was put aside: an alarm, its money stays held until somebody acts. */
  itemDeadLettered(letter: {
    readonly accountId: string;
    readonly itemId: string;
    readonly reason: Reason;
    readonly field: string;
    readonly heldNanos: Nanos;
  }): void;
  /** A batch failed for a reason that a retry cannot mend, and is halved to find the item at fault. */
  batchHalved(batch: { readonly itemsCount: number; readonly err: unknown }): void;
  /** Grants ran out of time. */
  grantsExpired(expired: { readonly count: number; readonly nanos: Nanos }): void;
};

/** Makes the money events of one process. */
export function createMoneyEvents(deps: {
  readonly log: Logger;
  readonly metrics: Metrics;
}): MoneyEvents {
  const { log } = deps;
  const meters = createMeters(deps.metrics);
  return {
    asksAnswered: (answers, elapsedMs) => {
      for (const answer of answers) meters.asks.inc({ outcome: outcomeOf(answer) });
      meters.askSeconds.observe(elapsedMs / 1000);
    },
    usageSettled: ({ statuses, plans, elapsedMs }) => {
      for (const [status, count] of countsOf(statuses)) meters.items.inc({ status }, count);
      meters.settleSeconds.observe(elapsedMs / 1000);
      for (const plan of plans) {
        const debt = plan.after.receivable - plan.before.receivable;
        if (debt > 0n) meters.debt.inc(unitsOf(debt));
        for (const { before, after } of plan.periods) {
          meters.writtenOff.inc(Number(after.writtenOff - before.writtenOff));
        }
      }
    },
    itemDeadLettered: ({ heldNanos, ...letter }) => {
      meters.deadLetters.inc({ reason: letter.reason });
      log.error({ event: "usage.dead_lettered", ...letter, heldNanos: String(heldNanos) });
    },
    batchHalved: ({ itemsCount, err }) => {
      log.warn({ event: "usage.batch_halved", itemsCount, err });
    },
    grantsExpired: ({ count, nanos }) => {
      meters.grantsExpired.inc(count);
      log.info({ event: "grants.expired", count, nanos: String(nanos) });
    },
  };
}

function createMeters(metrics: Metrics) {
  const seconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5];
  return {
    asks: metrics.counter({
      name: "quota_asks_total",
      help: "Asks for leases that were answered, by outcome",
      labels: ["outcome"],
    }),
    askSeconds: metrics.histogram({
      name: "quota_ask_batch_seconds",
      help: "How long one transaction of asks takes",
      buckets: seconds,
    }),
    items: metrics.counter({
      name: "usage_items_settled_total",
      help: "Usage items that were answered, by status",
      labels: ["status"],
    }),
    settleSeconds: metrics.histogram({
      name: "usage_settle_batch_seconds",
      help: "How long one transaction of usage takes",
      buckets: seconds,
    }),
    debt: metrics.counter({
      name: "usage_unreserved_total",
      help: "Usage that became debt because neither lease nor balance covered it, in units of the accounts' currencies",
    }),
    writtenOff: metrics.counter({
      name: "free_units_written_off_total",
      help: "Free units used beyond what leases and periods had",
    }),
    deadLetters: metrics.counter({
      name: "usage_dead_letters_total",
      help: "Usage items that were put aside for an operator, by reason",
      labels: ["reason"],
    }),
    grantsExpired: metrics.counter({
      name: "credit_grants_expired_total",
      help: "Credit grants of which something expired unused",
    }),
  };
}

function outcomeOf(answer: AskAnswer): string {
  switch (answer.kind) {
    case "grant":
      return answer.isReplay ? "replay" : "grant";
    case "deny":
    case "refuse":
      return answer.reason.toLowerCase();
  }
}

function countsOf(statuses: readonly SettleStatus[]): ReadonlyMap<SettleStatus, number> {
  const counts = new Map<SettleStatus, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}

function unitsOf(nanos: Nanos): number {
  return Number(nanos) / Number(nanosPerUnit);
}
