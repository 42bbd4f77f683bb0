import type { Logger } from "@farebox/kit/logger";
import type { Metrics } from "@farebox/kit/metrics";

/** What happens to the partitions of `usage_transaction`. */
export type PartitionEvents = {
  /** By their midnight, in milliseconds. */
  partitionsAdded(daysMs: readonly number[]): void;
  partitionDropped(dayMs: number): void;
  /** Rows for which there was no day's partition. An alarm unless zero. */
  overflowCounted(rows: number): void;
};

/** Makes the events of one process. */
export function createPartitionEvents(deps: {
  readonly log: Logger;
  readonly metrics: Metrics;
}): PartitionEvents {
  const { log, metrics } = deps;
  const overflow = metrics.gauge({
    name: "usage_partition_overflow_rows",
    help: "Transactions outside every day's partition, counted up to a bound; 0 is good",
  });
  const dropped = metrics.counter({
    name: "usage_partitions_dropped_total",
    help: "Days of transactions dropped at the end of their retention",
  });
  return {
    partitionsAdded: (daysMs) =>
      log.info({ event: "usage_partitions.added", days: daysMs.map(dayText) }),
    partitionDropped: (dayMs) => {
      dropped.inc();
      log.info({ event: "usage_partition.dropped", day: dayText(dayMs) });
    },
    overflowCounted: (rows) => {
      overflow.set(rows);
      if (rows > 0) log.error({ event: "usage_partition.overflow", rows });
    },
  };
}

function dayText(dayMs: number): string {
  return new Date(dayMs).toISOString().slice(0, 10);
}
