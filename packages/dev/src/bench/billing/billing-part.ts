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
    const times = await runOpenLoop(bench.calls, {
      perSecond: options.openLoopPerSecond,
      durationMs: options.durationMs,
      callers: spread,
    });
    return [...closedRows(rounds), ...openRows(times)];
  });
  return { rows: measured, faults };
};

/** One round: both shapes of load, and the CPU that Billing used for a call of either. */
type ClosedRound = {
  readonly spread: ClosedLoopResult;
  readonly hot: ClosedLoopResult;
  readonly billingMicrosPerCall: number;
};

async function measureClosed(
  { installation, options, log }: PartRun,
  bench: BillingBench,
  callers: { readonly spread: readonly Caller[]; readonly hot: readonly Caller[] },
): Promise<readonly ClosedRound[]> {
  const { fibres, durationMs, warmUpMs } = options;
  log("warming up");
  await runClosedLoop(bench, { callers: callers.spread, fibres, durationMs: warmUpMs });
  const rounds: ClosedRound[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const cpuBefore = billingCpu(installation);
    const spread = await runClosedLoop(bench, { callers: callers.spread, fibres, durationMs });
    const hot = await runClosedLoop(bench, { callers: callers.hot, fibres, durationMs });
    const cpuMicros = billingCpu(installation) - cpuBefore;
    rounds.push({ spread, hot, billingMicrosPerCall: cpuMicros / (spread.calls + hot.calls) });
    log(
      `round ${round}: ${spread.settledPerSecond.toFixed(0)} settled calls/s over ${callers.spread.length} accounts, ` +
        `${hot.settledPerSecond.toFixed(0)} on one`,
    );
  }
  return rounds;
}

function billingCpu({ billing }: PartRun["installation"]): number {
  const pid = billing.pid();
  return pid === undefined ? Number.NaN : cpuMicrosOf(pid);
}

function closedRows(rounds: readonly ClosedRound[]): PartResult["rows"] {
  const rates = (["spread", "hot"] as const).map((shape) => ({
    name: `billing.settled_calls_per_s.${shape}`,
    value: median(rounds.map((round) => round[shape].settledPerSecond)),
    unit: "1/s" as const,
  }));
  const cpu = median(rounds.map((round) => round.billingMicrosPerCall));
  return [...rates, { name: "billing.cpu_us_per_call.billing", value: cpu, unit: "us" }];
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
