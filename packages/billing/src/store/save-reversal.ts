import type { PoolConnection } from "@farebox/kit/mysql";
import { fundsOf } from "../domain/balance-moves.ts";
import type { LedgerKind } from "../domain/ledger-entry.ts";
import type { ReversalPlan, ReversalWorld } from "../domain/reversal-plan.ts";
import { expireCredit } from "./dead-letter-money.ts";
import { insertLedger } from "./insert-ledger.ts";
import { moveWallets } from "./move-wallets.ts";
import { moveGrants } from "./open-grant-store.ts";
import { saveOrder } from "./recharge-order-store.ts";
import { insertReversal, saveReversalState } from "./recharge-reversal-store.ts";

/** Writes what a move of a reversal changes: the order and its account's wallet are locked. `isNew` for its first move. */
export async function saveReversal(
  tx: PoolConnection,
  before: ReversalWorld,
  plan: ReversalPlan,
  of: { readonly isNew: boolean; readonly nowMs: number },
): Promise<void> {
  const { order, reversal, burns, ledgerAmount } = plan;
  const { accountId } = order;
  const { nowMs } = of;
  await saveOrder(tx, before.order, order);
  if (of.isNew) await insertReversal(tx, order, reversal, nowMs);
  else await saveReversalState(tx, order, reversal, nowMs);
  await moveWallets(tx, [{ accountId, before: before.wallet, after: plan.wallet }]);
  const changes = burns.map(({ grant, amount }) => ({ grant, used: amount, expired: 0n }));
  await moveGrants(tx, changes);
  if (ledgerAmount !== 0n) {
    const entry = { accountId, reference: `${order.id}/${reversal.id}`, amount: ledgerAmount };
    const booked = ledgerAmount < 0n ? takenSides : givenSides;
    await insertLedger(tx, [{ ...entry, balanceAfter: fundsOf(plan.wallet), ...booked }], nowMs);
  }
  // What a refund held spared expired grants, as a lease does: it is over.
  await expireCredit(tx, accountId, nowMs);
}

const takenSides = {
  kind: "RECHARGE_REVERSED" satisfies LedgerKind,
  debit: "customer_funds",
  credit: "cash",
} as const;

const givenSides = {
  kind: "RECHARGE_REINSTATED" satisfies LedgerKind,
  debit: "cash",
  credit: "customer_funds",
} as const;
