import type { PoolConnection } from "@farebox/kit/mysql";
import type { Wallet } from "../domain/balance-moves.ts";
import { type ClosePlan, planClose } from "../domain/close-plan.ts";
import type { Lease } from "../domain/lease.ts";
import { loadCloseWorlds } from "../store/load-close-worlds.ts";
import type { LeaseName } from "../store/lock-leases.ts";
import { saveCloses } from "../store/save-closes.ts";

/** What to end, and how. */
export type CloseLeasesInput = {
  readonly leases: readonly LeaseName[];
  readonly state: "CLOSED" | "RELEASED";
  /** Asked about each lease once it is locked: one that was extended or settled meanwhile can be spared. */
  readonly isDue?: (lease: Lease) => boolean;
  readonly nowMs: number;
};

/** Leases as they are afterwards, those that were spared or had ended before included, and their accounts' wallets. */
export type ClosedLeases = {
  readonly leases: readonly Lease[];
  /** Those that this call ended. */
  readonly closed: ClosePlan["closed"];
  readonly wallets: ReadonlyMap<string, Wallet>;
  readonly plans: readonly ClosePlan[];
};

/** Ends leases within the caller's transaction, which may hold their locks already. */
export async function closeLeases(
  tx: PoolConnection,
  input: CloseLeasesInput,
): Promise<ClosedLeases> {
  const worlds = await loadCloseWorlds(tx, input.leases, input.nowMs);
  const plans = worlds.map((world) => {
    const due = input.isDue === undefined ? world.leases : world.leases.filter(input.isDue);
    return planClose({ ...world, leases: due }, input.state);
  });
  await saveCloses(tx, plans, input.nowMs);
  const closed = plans.flatMap((plan) => plan.closed);
  const ended = new Map(closed.map(({ after }) => [`${after.accountId} ${after.id}`, after]));
  return {
    leases: worlds.flatMap((world) =>
      world.leases.map((lease) => ended.get(`${lease.accountId} ${lease.id}`) ?? lease),
    ),
    closed,
    wallets: new Map(plans.map((plan) => [plan.accountId, plan.after])),
    plans,
  };
}
