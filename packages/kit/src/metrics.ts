import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** A registry of one process's metrics, and the three ways to add to it. Labels never carry a user or request id. */
export type Metrics = {
  readonly registry: Registry;
  counter<L extends string = never>(meter: Meter<L>): Counter<L>;
  gauge<L extends string = never>(meter: Meter<L> & { readonly collect?: () => void }): Gauge<L>;
  histogram<L extends string = never>(
    meter: Meter<L> & { readonly buckets: readonly number[] },
  ): Histogram<L>;
};

/** `name` is snake_case with its unit last (`_seconds`, `_bytes`, `_total` for counters). */
export type Meter<L extends string> = {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly L[];
};

/** Makes an empty registry; with `processMetrics` also Node's own (heap, event loop lag, CPU). */
export function createMetrics(options: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry });
  const base = <L extends string>(meter: Meter<L>) => ({
    name: meter.name,
    help: meter.help,
    labelNames: meter.labels ?? [],
    registers: [registry],
  });
  return {
    registry,
    counter: (meter) => new Counter(base(meter)),
    gauge: (meter) => {
      const { collect } = meter;
      return new Gauge(collect === undefined ? base(meter) : { ...base(meter), collect });
    },
    histogram: (meter) => new Histogram({ ...base(meter), buckets: [...meter.buckets] }),
  };
}
