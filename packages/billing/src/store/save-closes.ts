import type { PoolConnection } from "mysql2/promise";
import type { ClosePlan } from "../domain/close-plan.ts";
import { movePeriods } from "./free-period-store.ts";
import { moveWallets } from "./move-wallets.ts";
import { saveExpiries } from "./save-grants.ts";
import { timeText } from "./sql-text.ts";
import { updateRows } from "./update-rows.ts";

/** Writes what ending leases changed, one statement a table. */
export async function saveCloses(
  tx: PoolConnection,
  plans: readonly ClosePlan[],
  nowMs: number,
): Promise<void> {
  const closeTime = timeText(nowMs);
  await updateRows(
    tx,
    closeShape,
    plans
      .flatMap((plan) => plan.closed)
      .map(({ before, after }) => ({
        keys: [after.accountId, after.id],
        adds: [
          after.released - before.released,
          (after.free?.released ?? 0n) - (before.free?.released ?? 0n),
        ],
        sets: [after.state, closeTime],
      })),
  );
  await moveWallets(tx, plans);
  await movePeriods(
    tx,
    plans.flatMap((plan) => plan.periods),
  );
  await saveExpiries(
    tx,
    plans.map((plan) => plan.expiry),
    nowMs,
  );
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
