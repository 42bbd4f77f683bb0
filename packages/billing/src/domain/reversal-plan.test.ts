import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { fundsOf, type Wallet } from "./balance-moves.ts";
import type { OpenGrant } from "./burn-grants.ts";
import type { PlacedOrder } from "./recharge-order.ts";
import type { PlacedReversal } from "./recharge-reversal.ts";
import {
  planGiveBack,
  planRelease,
  planTakeBack,
  type ReversalPlan,
  type ReversalWorld,
} from "./reversal-plan.ts";

const order: PlacedOrder = {
  id: "0".repeat(32),
  accountId: "acc_1",
  state: "CREDITED",
  amount: 100n,
  currencyCode: "USD",
  method: "CARD",
  paymentMethodId: "",
  paymentId: "p1",
  credited: 100n,
  reversed: 0n,
  reserved: 0n,
  paymentUrl: "",
  returnUrl: "",
  clientIp: "",
  createTimeMs: 0,
  expireTimeMs: 0,
  creditTimeMs: 0,
};

/** 100 paid in and 20 given; 10 are held by leases. */
const wallet: Wallet = {
  available: 110n,
  held: 10n,
  spent: 0n,
  credited: 120n,
  receivable: 0n,
  overdraftLimit: 0n,
  openLeases: 1,
  openGrants: 1,
};
const grants: readonly OpenGrant[] = [
  {
    accountId: "acc_1",
    id: "1".repeat(32),
    priority: 0,
    remaining: 20n,
    expired: 0n,
    expireTimeMs: undefined,
  },
];

const refund: PlacedReversal = {
  id: "r1",
  kind: "REFUND",
  state: "REVERSED",
  asked: 30n,
  amount: 30n,
};
const dispute: PlacedReversal = { ...refund, kind: "DISPUTE", asked: 100n, amount: 100n };

describe("taking money back", () => {
  it("takes what is available, and leaves grants that are still covered", () => {
    const plan = planTakeBack(world({}), { grants, reservedOfAccount: 0n });
    assert.deepEqual(termsOf(plan), {
      state: "PARTIALLY_REFUNDED",
      reversed: 30n,
      reserved: 0n,
      available: 80n,
      held: 10n,
      credited: 90n,
      receivable: 0n,
      ledgerAmount: -30n,
      burned: 0n,
    });
    assertConserved(plan);
  });

  it("posts a reservation out of what is held", () => {
    const reserved = {
      order: { ...order, reserved: 30n },
      reversal: { ...refund, state: "RESERVED" as const },
      wallet: { ...wallet, available: 80n, held: 40n },
    };
    const plan = planTakeBack(world(reserved), { grants, reservedOfAccount: 30n });
    assert.deepEqual(termsOf(plan), {
      state: "PARTIALLY_REFUNDED",
      reversed: 30n,
      reserved: 0n,
      available: 80n,
      held: 10n,
      credited: 90n,
      receivable: 0n,
      ledgerAmount: -30n,
      burned: 0n,
    });
    assertConserved(plan);
  });

  it("makes debt of what is spent, and gives up grants that counted on the money", () => {
    // 105 of 120 were spent, the grant first; then another 20 were given.
    const spent = { ...wallet, available: 25n, held: 10n, spent: 105n, credited: 140n };
    const plan = planTakeBack(world({ reversal: dispute, wallet: spent }), {
      grants,
      reservedOfAccount: 0n,
    });
    assert.deepEqual(termsOf(plan), {
      state: "DISPUTED",
      reversed: 100n,
      reserved: 0n,
      available: 0n,
      held: 10n,
      credited: 40n,
      receivable: 75n,
      ledgerAmount: -100n,
      burned: 20n,
    });
    assert.equal(plan.wallet.openGrants, 0);
    assertConserved(plan);
  });

  it("does not count what another refund holds as cover for grants", () => {
    const wide = { ...wallet, available: 50n, held: 70n };
    const plan = planTakeBack(world({ reversal: { ...refund, amount: 50n }, wallet: wide }), {
      grants,
      reservedOfAccount: 60n,
    });
    assert.deepEqual([plan.wallet.available, plan.wallet.held], [0n, 70n]);
    assert.equal(termsOf(plan).burned, 10n);
    assert.equal(plan.wallet.openGrants, 1);
  });

  it("takes nothing of an order that has nothing left, and knows it", () => {
    const gone = { ...order, reversed: 100n, state: "REFUNDED" as const };
    const nothing = { ...dispute, amount: 0n };
    const plan = planTakeBack(world({ order: gone, reversal: nothing }), {
      grants,
      reservedOfAccount: 0n,
    });
    assert.deepEqual([plan.order, plan.wallet, plan.ledgerAmount], [gone, wallet, 0n]);
    assert.equal(plan.reversal.state, "REVERSED");
  });
});

test("a released reservation pays debt first", () => {
  const plan = planRelease(
    world({
      order: { ...order, reserved: 30n },
      reversal: { ...refund, state: "RESERVED" },
      wallet: { ...wallet, available: 0n, held: 40n, spent: 105n, receivable: 25n },
    }),
  );
  assert.deepEqual(
    [plan.order.reserved, plan.wallet.available, plan.wallet.held, plan.wallet.receivable],
    [0n, 5n, 10n, 0n],
  );
  assert.deepEqual([plan.reversal.state, plan.ledgerAmount], ["RELEASED", 0n]);
  assertConserved(plan);
});

test("a won dispute gives the money back, pays debt first, and leaves what was refunded refunded", () => {
  const plan = planGiveBack(
    world({
      order: { ...order, reversed: 70n, state: "DISPUTED" },
      reversal: { ...dispute, amount: 40n },
      wallet: { ...wallet, available: 0n, held: 10n, spent: 100n, credited: 90n, receivable: 20n },
    }),
  );
  assert.deepEqual([plan.order.state, plan.order.reversed], ["PARTIALLY_REFUNDED", 30n]);
  assert.deepEqual([plan.wallet.available, plan.wallet.receivable], [20n, 0n]);
  assert.deepEqual([plan.reversal.state, plan.ledgerAmount], ["REINSTATED", 40n]);
  assertConserved(plan);
});

test("an order stays disputed while another dispute has its money", () => {
  const disputed = {
    order: { ...order, reversed: 60n, state: "DISPUTED" as const },
    reversal: { ...dispute, amount: 40n },
  };
  const plan = planGiveBack({ ...world(disputed), otherDisputed: 20n });
  assert.equal(plan.order.state, "DISPUTED");
});

function world(more: Partial<ReversalWorld>): ReversalWorld {
  return { order, reversal: refund, wallet, otherDisputed: 0n, ...more };
}

function termsOf({ order: after, wallet: left, ledgerAmount, burns }: ReversalPlan) {
  return {
    state: after.state,
    reversed: after.reversed,
    reserved: after.reserved,
    available: left.available,
    held: left.held,
    credited: left.credited,
    receivable: left.receivable,
    ledgerAmount,
    burned: burns.reduce((total, burn) => total + burn.amount, 0n),
  };
}

function assertConserved({ wallet: left }: ReversalPlan): void {
  const { available, held, spent, credited, receivable } = left;
  assert.equal(available + held + spent, credited + receivable);
  assert.equal(fundsOf(left), credited - spent);
}
