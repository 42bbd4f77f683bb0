import type { Nanos } from "@farebox/kit/money";
import { fundsOf, grant, release, takeBack, type Wallet } from "./balance-moves.ts";
import { burnUnfunded, type GrantBurn, type OpenGrant } from "./burn-grants.ts";
import { type PlacedOrder, stateAfterReversal } from "./recharge-order.ts";
import type { PlacedReversal } from "./recharge-reversal.ts";

/** An order, one of its reversals, and the account's wallet, before or after a move. */
export type ReversalWorld = {
  readonly order: PlacedOrder;
  readonly reversal: PlacedReversal;
  readonly wallet: Wallet;
  /** What disputes that are open or lost have taken of the order, this one left out. */
  readonly otherDisputed: Nanos;
};

/** What a move of a reversal changes. `ledgerAmount` is by how much the account's funds change; zero writes no entry. */
export type ReversalPlan = Omit<ReversalWorld, "otherDisputed"> & {
  readonly ledgerAmount: Nanos;
  /** Grants that promised more than the funds that are left. */
  readonly burns: readonly GrantBurn[];
};

/** Money is taken: out of the reservation when there is one, else out of what is available and then as debt. */
export function planTakeBack(
  world: ReversalWorld,
  funds: { readonly grants: readonly OpenGrant[]; readonly reservedOfAccount: Nanos },
): ReversalPlan {
  const { order, reversal, wallet } = world;
  const fromHeld = reversal.state === "RESERVED" ? reversal.amount : 0n;
  const move = takeBack(wallet, fromHeld, reversal.amount - fromHeld);
  const backing = fundsOf(move.wallet) - (funds.reservedOfAccount - fromHeld);
  const burns = burnUnfunded(funds.grants, backing);
  const usedUp = burns.filter((burn) => burn.amount === burn.grant.remaining).length;
  const after = {
    ...order,
    reversed: order.reversed + reversal.amount,
    reserved: order.reserved - fromHeld,
  };
  const disputed = world.otherDisputed + (reversal.kind === "DISPUTE" ? reversal.amount : 0n);
  return {
    order: { ...after, state: stateAfterReversal(after, disputed) },
    reversal: { ...reversal, state: "REVERSED" },
    wallet: usedUp === 0 ? move.wallet : closeGrants(move.wallet, usedUp),
    ledgerAmount: move.ledgerAmount,
    burns,
  };
}

/** A reservation ends unused: the money is the account's again, and pays debt first. */
export function planRelease({ order, reversal, wallet }: ReversalWorld): ReversalPlan {
  return {
    order: { ...order, reserved: order.reserved - reversal.amount },
    reversal: { ...reversal, state: "RELEASED" },
    wallet: release(wallet, reversal.amount).wallet,
    ledgerAmount: 0n,
    burns: [],
  };
}

/** Money that was taken is given back: it pays debt first. Grants that were given up meanwhile stay so. */
export function planGiveBack(world: ReversalWorld): ReversalPlan {
  const { order, reversal, wallet } = world;
  const move = grant(wallet, reversal.amount);
  const after = { ...order, reversed: order.reversed - reversal.amount };
  return {
    order: { ...after, state: stateAfterReversal(after, world.otherDisputed) },
    reversal: { ...reversal, state: "REINSTATED" },
    wallet: move.wallet,
    ledgerAmount: move.ledgerAmount,
    burns: [],
  };
}

function closeGrants(wallet: Wallet, count: number): Wallet {
  return { ...wallet, openGrants: wallet.openGrants - count };
}
