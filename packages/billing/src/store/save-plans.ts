import type { DeadLetterRow, LeaseDelta, SettledRow, SettlePlan } from "../domain/settle-plan.ts";
import { endClaims } from "./end-claims.ts";
import { movePeriods } from "./free-period-store.ts";
import { inOneTrip, type Statements } from "./in-one-trip.ts";
import { insertDeadLetters, type NewDeadLetter } from "./insert-dead-letters.ts";
import { insertLedger, type NewLedgerEntry } from "./insert-ledger.ts";
import { insertUsage } from "./insert-usage.ts";
import { moveWallets } from "./move-wallets.ts";
import { moveGrants } from "./open-grant-store.ts";
import { updateRows } from "./update-rows.ts";
import { upsertRollups } from "./upsert-rollups.ts";

/**
 * Writes settled plans, one statement a table however many items and accounts there are, all in one round trip. Items with
 * ids below `oldestKeptId` belong to days whose partitions are gone, and are kept apart.
 */
export async function savePlans(
  tx: Statements,
  plans: readonly SettlePlan[],
  at: { readonly nowMs: number; readonly oldestKeptId: string },
): Promise<void> {
  const { kept, late } = rowsOf(plans, at.oldestKeptId);
  const burns = plans.flatMap((plan) => plan.burns);
  await inOneTrip(tx, (trip) => [
    insertUsage(trip, "usage_transaction", kept),
    insertUsage(trip, "usage_late", late),
    moveLeases(
      trip,
      plans.flatMap((plan) => plan.leaseDeltas),
    ),
    moveWallets(trip, plans),
    movePeriods(
      trip,
      plans.flatMap((plan) => plan.periods),
    ),
    moveGrants(
      trip,
      burns.map(({ grant, amount }) => ({ grant, used: amount, expired: 0n })),
    ),
    insertLedger(trip, plans.flatMap(ledgerOf), at.nowMs),
    upsertRollups(
      trip,
      plans.flatMap((plan) => plan.rollups),
    ),
    endClaims(
      trip,
      plans.flatMap((plan) => plan.claims),
    ),
    insertDeadLetters(
      trip,
      plans.flatMap((plan) => plan.deadLetters.map(toDeadLetter)),
      at.nowMs,
    ),
  ]);
}

function rowsOf(plans: readonly SettlePlan[], oldestKeptId: string) {
  const kept: SettledRow[] = [];
  const late: SettledRow[] = [];
  for (const plan of plans) {
    for (const row of plan.rows) (row.item.id < oldestKeptId ? late : kept).push(row);
  }
  return { kept, late };
}

async function moveLeases(tx: Statements, deltas: readonly LeaseDelta[]): Promise<void> {
  const rows = deltas.map(({ accountId, id, settled, deadLettered, settledUnits }) => ({
    keys: [accountId, id],
    adds: [settled, deadLettered, settledUnits],
  }));
  await updateRows(tx, leaseShape, rows);
}

const leaseShape = {
  table: "lease",
  keys: [
    { name: "account_id", kind: "text" },
    { name: "id", kind: "hex" },
  ],
  adds: ["settled", "dead_lettered", "settled_units"],
} as const;

function ledgerOf(plan: SettlePlan): NewLedgerEntry[] {
  return plan.ledger.map((entry) => ({
    ...entry,
    kind: "USAGE",
    debit: "customer_funds",
    credit: "usage_revenue",
  }));
}

function toDeadLetter({ item, key, fault, held }: DeadLetterRow): NewDeadLetter {
  return {
    accountId: item.accountId,
    key,
    encoded: item.encoded,
    ...fault,
    leaseId: item.leaseId.length === 32 ? item.leaseId : "",
    held,
  };
}
