import type { Metrics } from "@farebox/kit/metrics";
import type { OpenBilling } from "./open-billing.ts";

/** What the metrics are read from. */
export type MeteredBilling = Pick<
  OpenBilling,
  "interceptor" | "journal" | "book" | "settlement" | "batcher" | "closer"
>;

/**
 * Shows the interceptor's figures. The hot path counts in plain numbers; they become metrics only when somebody looks, by the
 * gauge that is registered first.
 */
export function meterBilling(metrics: Metrics, billing: MeteredBilling): void {
  const updates: (() => void)[] = [];
  metrics.gauge({
    name: "billing_calls_in_flight",
    help: "Calls admitted and not ended.",
    collect: function (this: { set(value: number): void }) {
      this.set(billing.interceptor.callsInFlight);
      for (const update of updates) update();
    },
  });
  const gauge = (name: string, help: string, read: () => number) => {
    const meter = metrics.gauge({ name, help });
    updates.push(() => meter.set(read()));
  };
  const counter = (name: string, help: string, read: () => Readonly<Record<string, number>>) => {
    const meter = metrics.counter({ name, help, labels: ["kind"] });
    const shown = new Map<string, number>();
    updates.push(() => {
      for (const [kind, value] of Object.entries(read())) {
        meter.inc({ kind }, value - (shown.get(kind) ?? 0));
        shown.set(kind, value);
      }
    });
  };
  const { journal, book, settlement, batcher, closer } = billing;
  const waited = metrics.histogram({
    name: "billing_admission_wait_seconds",
    help: "How long calls waited for a grant; those that a lease covered at once are not among them.",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  });
  book.onWaited = (waitedMs) => waited.observe(waitedMs / 1000);
  counter("billing_admissions_total", "Calls by how they were admitted or refused.", () => ({
    ...book.figures,
  }));
  counter("billing_journal_total", "Outcomes, writes, syncs and bytes of the journal.", () => ({
    ...journal.figures,
  }));
  counter("billing_asks_total", "Batches of asks, their failures, asks and claims.", () => ({
    ...batcher.figures,
  }));
  counter("billing_lease_closes_total", "Leases closed, and those that had drifted.", () => ({
    ...closer.figures,
  }));
  counter("billing_settled_items_total", "Items by what became of them.", () => {
    const [, applied = 0, duplicate = 0, late = 0, deadLettered = 0] = settlement.figures.items;
    return { applied, duplicate, late, dead_lettered: deadLettered };
  });
  gauge("billing_journal_bytes", "Bytes of records kept on disk.", () => journal.bytesKept);
  gauge(
    "billing_journal_unacknowledged_bytes",
    "Bytes of durable records that Billing has not answered for.",
    () => Math.max(0, journal.durablePosition - settlement.acknowledged),
  );
  gauge("billing_settlement_connected", "1 while the settlement stream is open.", () =>
    settlement.isConnected ? 1 : 0,
  );
  gauge("billing_quota_pools", "Accounts and services in memory.", () => book.pools.size);
}
