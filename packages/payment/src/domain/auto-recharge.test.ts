import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AutoRecharge,
  afterFailure,
  afterSuccess,
  dayMs,
  decideRecharge,
  monthMs,
  type RecentAttempts,
  type RechargeDecision,
} from "./auto-recharge.ts";

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
