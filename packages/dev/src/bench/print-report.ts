import type { BenchRow } from "./bench-row.ts";

/** Writes the figures as a table for people, with what they are to reach and every difference (the first fifty). */
export function printReport(report: {
  readonly machine: string;
  readonly rows: readonly BenchRow[];
  readonly faults: readonly string[];
  readonly tookSeconds: number;
}): string {
  const width = Math.max(...report.rows.map(({ name }) => name.length), 0);
  const lines = report.rows.map((row) => {
    const value = formatValue(row).padStart(10);
    const target = targets.get(row.name);
    const verdict = target === undefined ? "" : `  target ${target.text}: ${judge(row, target)}`;
    const conserved = row.conserved ? "" : "  NOT CONSERVED";
    return `  ${row.name.padEnd(width)}  ${value} ${row.unit.padEnd(5)}${verdict}${conserved}`;
  });
  return [
    "",
    ...lines,
    "",
    describeFaults(report.faults),
    `Measured on ${report.machine}; took ${report.tookSeconds.toFixed(0)} s.`,
  ].join("\n");
}

const faultsShown = 50;

function describeFaults(faults: readonly string[]): string {
  if (faults.length === 0) {
    return "Conserved: what the upstream answered = transactions = leases = ledger = balances, to the nano.";
  }
  const lines = faults.slice(0, faultsShown).map((fault) => `  ${fault}`);
  const rest = faults.length - lines.length;
  return [
    `NOT GOOD, ${faults.length} differences:`,
    ...lines,
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  ].join("\n");
}

type Target = { readonly text: string; readonly isMet: (value: number) => boolean };

const atLeast = (least: number): Target => ({
  text: `≥ ${least.toLocaleString("en")}`,
  isMet: (value) => value >= least,
});
const atMost = (most: number): Target => ({
  text: `≤ ${most.toLocaleString("en")}`,
  isMet: (value) => value <= most,
});

const targets: ReadonlyMap<string, Target> = new Map([
  ["billing.settled_calls_per_s.spread", atLeast(25_000)],
  ["billing.settled_calls_per_s.hot", atLeast(25_000)],
  ["gateway.ratio.off_to_bare", atLeast(0.6)],
  ["gateway.ratio.on_to_off", atLeast(0.7)],
  ["gateway.cpu_ratio.on_to_off", atMost(1.25)],
  ["gateway.ratio.on_to_portkey", atLeast(4)],
  ["device.added_ms.p50", atMost(15)],
  ["device.own_ms.p50", atMost(15)],
  ["device.collector_cpu.share", atMost(0.15)],
  ["device.sample_lag_ms.p99", atMost(2_000)],
]);

function judge(row: BenchRow, target: Target): string {
  return target.isMet(row.value) ? "met" : "MISSED";
}

function formatValue({ value, unit }: BenchRow): string {
  switch (unit) {
    case "1/s":
      return Math.round(value).toLocaleString("en");
    case "ratio":
      return value.toFixed(2);
    case "ms":
      return value.toFixed(3);
    case "us":
      return value.toFixed(1);
  }
}
