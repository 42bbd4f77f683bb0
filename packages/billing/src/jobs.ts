import type { Job } from "@farebox/kit/start-jobs";
import { countDeadLetters } from "./operations/count-dead-letters.ts";
import { type ExpireRechargesDeps, expireRecharges } from "./operations/expire-recharges.ts";
import { type KeepPartitionsDeps, keepPartitions } from "./operations/keep-partitions.ts";
import { createKeepReconciled, type KeepReconciledDeps } from "./operations/keep-reconciled.ts";
import { createPruneEnded, type PruneEndedDeps } from "./operations/prune-ended.ts";
import { createSweepSessions, type SweepSessionsDeps } from "./operations/sweep-sessions.ts";
import {
  createSweepStrictLeases,
  type SweepStrictLeasesDeps,
} from "./operations/sweep-strict-leases.ts";
import type { PartitionEvents } from "./partition-events.ts";
import type { PruneEvents } from "./prune-events.ts";
import type { RechargeEvents } from "./recharge-events.ts";
import type { ReconcileEvents } from "./reconcile-events.ts";

export type JobsTableDeps = Omit<
  SweepSessionsDeps &
    SweepStrictLeasesDeps &
    KeepPartitionsDeps &
    KeepReconciledDeps &
    PruneEndedDeps &
    ExpireRechargesDeps,
  "events" | "periodMs"
> & {
  readonly events: SweepSessionsDeps["events"] &
    PartitionEvents &
    ReconcileEvents &
    PruneEvents &
    RechargeEvents;
  /** Ends credit grants whose time is up, a bounded number a run. */
  readonly expireGrants: (signal: AbortSignal) => Promise<void>;
};

const secondMs = 1_000;
const minuteMs = 60_000;

/** The background loops of Billing's life of leases and money. Each is bounded, and safe in any number of processes. */
export function createJobs(deps: JobsTableDeps): readonly Job[] {
  const strict = { ...deps, periodMs: secondMs };
  const sessions = { ...deps, periodMs: Math.min(5 * secondMs, deps.leaseValidForMs / 4) };
  const keepReconciled = createKeepReconciled(deps);
  return [
    {
      name: "sweep_strict_leases",
      periodMs: strict.periodMs,
      run: createSweepStrictLeases(strict),
    },
    { name: "sweep_sessions", periodMs: sessions.periodMs, run: createSweepSessions(sessions) },
    { name: "expire_grants", periodMs: 5 * secondMs, run: deps.expireGrants },
    {
      name: "expire_recharges",
      periodMs: minuteMs,
      run: (signal) => expireRecharges(deps, signal),
    },
    { name: "keep_reconciled", periodMs: minuteMs, run: keepReconciled },
    { name: "prune_ended", periodMs: 10 * secondMs, run: createPruneEnded(deps) },
    { name: "count_dead_letters", periodMs: minuteMs, run: () => countDeadLetters(deps) },
    {
      name: "keep_partitions",
      periodMs: 60 * minuteMs,
      run: () => keepPartitions(deps, { isServing: true }),
    },
  ];
}
