import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AttemptOutcome,
  type AutoRecharge,
  afterAttempt,
  afterFailure,
  afterSuccess,
  dayMs,
  decideRecharge,
  monthMs,
  outcomeOfPayment,
  type RecentAttempts,
  type RechargeDecision,
} from "./auto-recharge.ts";
import type { PaymentState } from "./payment.ts";

const nowMs = 1_000 * dayMs;
const hourMs = 3_600_000;
const at = { nowMs, periodMs: 10_000 };
const setting: AutoRecharge = {
  accountId: "acc_1",
  isEnabled: true,
  currencyCode: "USD",
  threshold: 5n,
  amount: 20n,
  paymentMethodId: "",
  limitPerMonth: undefined,
  attemptsPerDay: 3,
  failedAttempts: 0,
  nextAttemptMs: undefined,
  disabledReason: "",
  setTimeMs: nowMs - dayMs,
};
const nothing: RecentAttempts = {
  hasOpen: false,
  ofDay: 0,
  oldestOfDayMs: nowMs,
  paidOfMonth: 0n,
  oldestOfMonthMs: nowMs,
};
const later = (ms: number): RechargeDecision => ({ kind: "WAIT", untilMs: nowMs + ms });

describe("an account below its threshold", () => {
  const cases: readonly {
    readonly when: string;
    readonly setting?: Partial<AutoRecharge>;
    readonly recent?: Partial<RecentAttempts>;
    readonly decision: RechargeDecision;
  }[] = [
    { when: "nothing was tried", decision: { kind: "RECHARGE" } },
    { when: "an attempt is open", recent: { hasOpen: true }, decision: later(10_000) },
    {
      when: "it pauses after a failure",
      setting: { nextAttemptMs: nowMs + hourMs },
      decision: later(hourMs),
    },
    {
      when: "the pause is over",
      setting: { nextAttemptMs: nowMs },
      decision: { kind: "RECHARGE" },
    },
    {
      when: "one attempt of the day is left",
      recent: { ofDay: 2 },
      decision: { kind: "RECHARGE" },
    },
    {
      when: "the attempts of the day are used up",
      recent: { ofDay: 3, oldestOfDayMs: nowMs - dayMs + hourMs },
      decision: later(hourMs),
    },
    {
      when: "the limit of 30 days is just reached by it",
      setting: { limitPerMonth: 60n },
      recent: { paidOfMonth: 40n },
      decision: { kind: "RECHARGE" },
    },
    {
      when: "the limit of 30 days would be passed by it",
      setting: { limitPerMonth: 60n },
      recent: { paidOfMonth: 41n, oldestOfMonthMs: nowMs - monthMs + 2 * hourMs },
      decision: later(2 * hourMs),
    },
    {
      when: "what it waits for is over already, never sooner than at the next look",
      recent: { ofDay: 3, oldestOfDayMs: nowMs - dayMs },
      decision: later(10_000),
    },
  ];
  for (const { when, setting: own, recent, decision } of cases) {
    it(`${decision.kind === "WAIT" ? "waits" : "recharges"} when ${when}`, () => {
      assert.deepEqual(
        decideRecharge({ ...setting, ...own }, { ...nothing, ...recent }, at),
        decision,
      );
    });
  }
});

describe("after failures", () => {
  it("the pauses are 1, 4 and 16 hours, and the fourth failure switches off", () => {
    const pauses: unknown[] = [];
    let state = setting;
    for (let failure = 1; failure <= 4; failure += 1) {
      state = afterFailure(state, "insufficient_funds", nowMs);
      const { nextAttemptMs } = state;
      pauses.push(nextAttemptMs === undefined ? "none" : (nextAttemptMs - nowMs) / hourMs);
    }
    assert.deepEqual(pauses, [1, 4, 16, "none"]);
    assert.equal(state.isEnabled, false);
    assert.equal(state.disabledReason, "insufficient_funds");
  });

  it("a final one switches off at once", () => {
    for (const reason of ["authentication_required", "stolen_card", "PAYMENT_METHOD_NOT_FOUND"]) {
      const { isEnabled, disabledReason } = afterFailure(setting, reason, nowMs);
      assert.deepEqual([isEnabled, disabledReason], [false, reason]);
    }
  });

  it("a success forgets them", () => {
    const failed = afterFailure(setting, "insufficient_funds", nowMs);
    assert.deepEqual(afterSuccess(failed), setting);
  });
});

describe("how an attempt stands", () => {
  const rows: readonly {
    readonly when: string;
    readonly state?: PaymentState;
    readonly isTold?: boolean;
    readonly declineCode?: string;
    readonly isOrderPending?: boolean;
    readonly outcome: string;
  }[] = [
    { when: "its payment is not known yet", outcome: "OPEN" },
    {
      when: "its order ended without a payment",
      isOrderPending: false,
      outcome: "FAILED order_ended",
    },
    { when: "its payment is kept", state: "CREATED", outcome: "OPEN" },
    { when: "nobody knows", state: "UNKNOWN", outcome: "OPEN" },
    { when: "it takes its time", state: "PENDING", outcome: "OPEN" },
    { when: "it is paid and not credited", state: "PAID", outcome: "OPEN" },
    { when: "it is paid and credited", state: "PAID", isTold: true, outcome: "PAID" },
    { when: "something else arrived", state: "PARKED", outcome: "FAILED payment_parked" },
    {
      when: "it was declined",
      ...{ state: "FAILED", declineCode: "lost_card" },
      outcome: "FAILED lost_card",
    },
    { when: "it failed without a word", state: "FAILED", outcome: "FAILED failed" },
    { when: "its time is over", state: "EXPIRED", outcome: "FAILED expired" },
  ];
  for (const { when, state, isOrderPending = true, outcome, ...said } of rows) {
    it(`is ${outcome} when ${when}`, () => {
      const payment = state && { state, isTold: false, declineCode: "", ...said };
      const stands = outcomeOfPayment(payment, isOrderPending);
      assert.equal(`${stands.state} ${stands.reason}`.trim(), outcome);
    });
  }
});

describe("the setting after an attempt", () => {
  const outcomes: readonly (AttemptOutcome & { readonly state: "PAID" | "FAILED" })[] = [
    { state: "PAID", reason: "" },
    { state: "FAILED", reason: "lost_card" },
  ];
  const troubled = { ...setting, failedAttempts: 2 };

  it("that was begun since it was set: failures are forgotten, or counted", () => {
    const after = outcomes.map((outcome) =>
      afterAttempt(troubled, { createTimeMs: setting.setTimeMs }, outcome, nowMs),
    );
    assert.deepEqual(after, [afterSuccess(troubled), afterFailure(troubled, "lost_card", nowMs)]);
  });

  it("that was begun before it was set is as it was", () => {
    for (const outcome of outcomes) {
      const attempt = { createTimeMs: setting.setTimeMs - 1 };
      assert.deepEqual(afterAttempt(troubled, attempt, outcome, nowMs), troubled);
    }
  });
});
