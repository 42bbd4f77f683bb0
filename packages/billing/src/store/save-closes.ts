import type { ClosePlan } from "../domain/close-plan.ts";
import { movePeriods } from "./free-period-store.ts";
import { inOneTrip, type Statements } from "./in-one-trip.ts";
import { moveWallets } from "./move-wallets.ts";
import { saveExpiries } from "./save-grants.ts";
import { timeText } from "./sql-text.ts";
import { updateRows } from "./update-rows.ts";

/** Writes what ending leases changed, one statement a table, all in one round trip. */
export async function saveCloses(
  tx: Statements,
  plans: readonly ClosePlan[],
  nowMs: number,
): Promise<void> {
  await inOneTrip(tx, (trip) => [
    closeRows(trip, plans, nowMs),
    moveWallets(trip, plans),
    movePeriods(
      trip,
      plans.flatMap((plan) => plan.periods),
    ),
    saveExpiries(
      trip,
      plans.map((plan) => plan.expiry),
      nowMs,
    ),
  ]);
}

async function closeRows(
  tx: Statements,
  plans: readonly ClosePlan[],
  nowMs: number,
): Promise<void> {
  const closeTime = timeText(nowMs);
  const closed = plans.flatMap((plan) => plan.closed);
  const rows = closed.map(({ before, after }) => ({
    keys: [after.accountId, after.id],
    adds: [
      after.released - before.released,
      (after.free?.released ?? 0n) - (before.free?.released ?? 0n),
    ],
    sets: [after.state, closeTime],
  }));
  await updateRows(tx, closeShape, rows);
}

const closeShape = {
  table: "lease",
  keys: [
    { name: "account_id", kind: "text" },
    { name: "id", kind: "hex" },
  ],
  adds: ["released", "released_units"],
  sets: [
    { name: "state", kind: "text" },
    { name: "close_time", kind: "time" },
  ],
} as const;
