import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";

/** What was forgotten because it had ended long ago. */
export type PruneEvents = {
  /** So many rows, by what they were. */
  pruned(counts: Readonly<Partial<Record<Pruned, number>>>): void;
};

/** What is forgotten. */
export type Pruned = (typeof kinds)[number];

const kinds = ["leases", "claims", "sessions"] as const;

/** Makes the events of one process. */
export function createPruneEvents(deps: {
  readonly log: Logger;
  readonly metrics: Metrics;
}): PruneEvents {
  const { log, metrics } = deps;
  const pruned = metrics.counter({
    name: "pruned_rows_total",
    help: "Ended leases, ended claims of request ids and lost gateways' sessions that were forgotten",
    labels: ["kind"],
  });
  for (const kind of kinds) pruned.inc({ kind }, 0);
  return {
    pruned: (counts) => {
      const found = kinds.filter((kind) => (counts[kind] ?? 0) > 0);
      for (const kind of found) pruned.inc({ kind }, counts[kind] ?? 0);
      if (found.length > 0) log.info({ event: "ended.pruned", ...counts });
    },
  };
}
