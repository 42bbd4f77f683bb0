import type { PartResult } from "../bench-row.ts";
import { cpuMicrosOf } from "../load/cpu-time.ts";
import { median, quantile } from "../median.ts";
import type { Part, PartRun } from "../part.ts";
import { type ClosedLoopResult, runClosedLoop } from "./closed-loop.ts";
import { runOpenLoop } from "./open-loop.ts";
import type { CallTimes } from "./simulated-calls.ts";
import { type BillingBench, type Caller, withBillingBench } from "./with-billing-bench.ts";

/**
 * The billing path without HTTP: the gateway's interceptor in this process, gRPC, Billing in another, MariaDB. Closed loop for
 * many accounts and for one, interleaved; open loop at a steady rate for the time that a single call is held up.
 */
export const billingPart: Part = async (run) => {
  const { installation, delivered, options } = run;
  const { measured, faults } = await withBillingBench(installation, delivered, async (bench) => {
    const spread = await bench.fund({ prefix: "spread", count: options.accounts, withKeys: true });
    const hot = await bench.fund({ prefix: "hot", count: 1, withKeys: true });
    const rounds = await measureClosed(run, bench, { spread, hot });
    const steady = { perSecond: options.openLoopPerSecond, callers: spread };
    // Leases that fell idle meanwhile were closed: an account's first call waits for a grant, which is another figure.
    await runOpenLoop(bench.calls, { ...steady, durationMs: options.warmUpMs });
    const times = await runOpenLoop(bench.calls, { ...steady, durationMs: options.durationMs });
    return [...closedRows(rounds), ...openRows(times)];
  });
  return { rows: measured, faults };
};

const shapes = ["spread", "hot"] as const;
type Shape = (typeof shapes)[number];

/** One run of one shape of load, and the CPU that each process used for a call. */
type ClosedRun = ClosedLoopResult & { readonly cpu: CpuMicros };

/** By process; one whose pid is not known is left out. */
type CpuMicros = Readonly<Record<string, number>>;

type ClosedRound = Readonly<Record<Shape, ClosedRun>>;

async function measureClosed(
  { installation, options, log }: PartRun,
  bench: BillingBench,
  callers: Readonly<Record<Shape, readonly Caller[]>>,
): Promise<readonly ClosedRound[]> {
  const { fibres, durationMs, warmUpMs } = options;
  log("warming up");
  await runClosedLoop(bench, { callers: callers.spread, fibres, durationMs: warmUpMs });
  const measure = async (shape: Shape): Promise<ClosedRun> => {
    const before = cpuNow(installation);
    const result = await runClosedLoop(bench, { callers: callers[shape], fibres, durationMs });
    const after = cpuNow(installation);
    const cpu = Object.entries(after).map(([name, micros]) => [
      name,
      (micros - (before[name] ?? Number.NaN)) / result.calls,
    ]);
    return { ...result, cpu: Object.fromEntries(cpu) };
  };
  const rounds: ClosedRound[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const spread = await measure("spread");
    const hot = await measure("hot");
    rounds.push({ spread, hot });
    log(
      `round ${round}: ${describeRun(spread)} over ${callers.spread.length} accounts; ${describeRun(hot)} on one`,
    );
  }
  return rounds;
}

function cpuNow({ billing, databasePid }: PartRun["installation"]): CpuMicros {
  const of = (name: string, pid: number | undefined) =>
    pid === undefined ? [] : [[name, cpuMicrosOf(pid)]];
  return Object.fromEntries([
    ...of("interceptor", process.pid),
    ...of("billing", billing.pid()),
    ...of("database", databasePid()),
  ]);
}

function describeRun({ settledPerSecond, cpu, asksPerCall }: ClosedRun): string {
  const parts = Object.entries(cpu).map(([name, micros]) => `${name} ${micros.toFixed(1)}`);
  return `${settledPerSecond.toFixed(0)} settled calls/s (µs CPU a call: ${parts.join(", ")}; ${asksPerCall.toFixed(3)} asks a call)`;
}

function closedRows(rounds: readonly ClosedRound[]): PartResult["rows"] {
  const rates = shapes.map((shape) => ({
    name: `billing.settled_calls_per_s.${shape}`,
    value: median(rounds.map((round) => round[shape].settledPerSecond)),
    unit: "1/s" as const,
  }));
  const cpu = shapes.flatMap((shape) =>
    Object.keys(rounds[0]?.[shape].cpu ?? {}).map((name) => ({
      name: `billing.cpu_us_per_call.${shape}.${name}`,
      value: median(rounds.map((round) => round[shape].cpu[name] ?? Number.NaN)),
      unit: "us" as const,
    })),
  );
  return [...rates, ...cpu];
}

function openRows(times: CallTimes): PartResult["rows"] {
  return (["admission", "added"] as const).flatMap((kind) =>
    ([50, 99] as const).map((percent) => ({
      name: `billing.${kind}_ms.p${percent}`,
      value: quantile(times[kind], percent / 100),
      unit: "ms" as const,
    })),
  );
}
