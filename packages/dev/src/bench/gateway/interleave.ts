import { cpuMicrosOf } from "../load/cpu-time.ts";
import { runWrk, type WrkTarget } from "../load/run-wrk.ts";
import type { WrkLoad } from "../load/wrk-script.ts";
import { median } from "../median.ts";

/** One of the things that are compared. */
export type Contender = {
  readonly name: string;
  readonly target: WrkTarget;
  readonly load: WrkLoad;
  /** The process whose CPU is charged to the calls. */
  readonly pid: Pid;
  /** The processes that work for it behind the scenes, by the name they have in the figures. */
  readonly behind?: Readonly<Record<string, Pid>>;
  /** Runs around every run of this contender, in which the upstream answers nobody else. */
  readonly beforeRun?: () => Promise<void>;
  readonly afterRun?: () => Promise<void>;
};

type Pid = () => number | undefined;

/** One contender's runs, round by round. */
export type Standing = {
  readonly name: string;
  readonly rounds: readonly Round[];
};

/** One run. */
export type Round = {
  readonly perSecond: number;
  readonly cpuMicrosPerCall: number;
  /** Of the processes behind it. */
  readonly behindMicrosPerCall: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

/** The figures of a run that are one number. */
type Figure = Exclude<keyof Round, "behindMicrosPerCall">;

/** What `interleave` found: the standings by name, and what makes any of them worthless. */
export type Contest = {
  readonly standings: ReadonlyMap<string, Standing>;
  readonly faults: readonly string[];
};

/**
 * Runs each contender once a round, round by round, so that whatever else the machine does meets all of them alike.
 * `afterRun` is part of a run's CPU: what is done late is paid for as well.
 */
export async function interleave(
  contenders: readonly Contender[],
  options: { readonly rounds: number; readonly log: (line: string) => void },
): Promise<Contest> {
  const rounds = new Map<string, Round[]>(contenders.map(({ name }) => [name, []]));
  const faults: string[] = [];
  for (let number = 1; number <= options.rounds; number++) {
    for (const contender of contenders) {
      const { result, cpuMicrosPerCall, behindMicrosPerCall } = await runOnce(contender);
      const { perSecond, p50Ms, p99Ms } = result;
      const round = { perSecond, cpuMicrosPerCall, behindMicrosPerCall, p50Ms, p99Ms };
      rounds.get(contender.name)?.push(round);
      for (const fault of result.faults)
        faults.push(`${contender.name}, round ${number}: ${fault}`);
      options.log(
        `round ${number}: ${contender.name} ${perSecond.toFixed(0)}/s, ` +
          `${cpuMicrosPerCall.toFixed(1)} µs CPU a call, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`,
      );
    }
  }
  const standings = new Map([...rounds].map(([name, runs]) => [name, { name, rounds: runs }]));
  return { standings, faults };
}

async function runOnce(contender: Contender) {
  const { pid, behind = {} } = contender;
  await contender.beforeRun?.();
  const own = meterCpu(pid);
  const meters = Object.entries(behind).map(([name, of]) => [name, meterCpu(of)] as const);
  const result = await runWrk(contender.target, contender.load);
  await contender.afterRun?.();
  const behindMicrosPerCall = Object.fromEntries(
    meters.map(([name, used]) => [name, used() / result.answered]),
  );
  return { result, cpuMicrosPerCall: own() / result.answered, behindMicrosPerCall };
}

/** Answers what a process has used since now, in microseconds; not a number when there is no such process. */
function meterCpu(pid: Pid): () => number {
  const read = () => {
    const now = pid();
    return now === undefined ? Number.NaN : cpuMicrosOf(now);
  };
  const before = read();
  return () => read() - before;
}

/** The median over the rounds of one figure. */
export function medianOf(standing: Standing | undefined, figure: Figure): number {
  return median(standing?.rounds.map((round) => round[figure]) ?? []);
}

/**
 * The median of the rounds' own quotients: two runs of one round met the same machine, two medians may come from minutes
 * that had nothing in common.
 */
export function medianRatio(
  [over, under]: readonly [Standing | undefined, Standing | undefined],
  figure: Figure,
): number {
  const quotients = over?.rounds.map(
    (round, at) => round[figure] / (under?.rounds[at]?.[figure] ?? Number.NaN),
  );
  return median(quotients ?? []);
}
