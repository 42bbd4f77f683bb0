import type { PoolConnection } from "@farebox/kit/mysql";
import type { Allocation } from "../domain/allocation.ts";
import { addWindow } from "../store/window-store.ts";

/**
 * Puts into the outbox that what is held for an allocation is given back, where nothing is left to report: a lease whose name is
 * known is closed; of one that was asked for Billing is asked once more whether there is one.
 */
export async function giveBack(
  tx: PoolConnection,
  { id, accountId, holdState, leaseId }: Allocation,
  nowMs: number,
): Promise<void> {
  if (holdState === "NONE") return;
  await addWindow(
    tx,
    {
      ...{ allocationId: id, accountId, kind: leaseId === "" ? "UNDO" : "RELEASE" },
      ...{ periodStartMs: nowMs, periodEndMs: nowMs, quantities: [], isLast: true },
    },
    nowMs,
  );
}
