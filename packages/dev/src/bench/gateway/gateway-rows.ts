import type { PartResult } from "../bench-row.ts";
import { median } from "../median.ts";
import { type Contest, medianOf, medianRatio, type Standing } from "./interleave.ts";

type Row = PartResult["rows"][number];

/** Turns what was measured into named figures: throughputs as medians, ratios round by round. */
export function gatewayRows(plain: Contest, streams: Contest): readonly Row[] {
  return [
    ...rpsRows("gateway.rps", plain),
    ...ratioRows("gateway.ratio", plain),
    cpuRatio("gateway.cpu_ratio.on_to_off", plain),
    ...cpuRows("gateway.cpu_us_per_call", plain),
    ...rpsRows("gateway.stream_rps", streams),
    ...ratioRows("gateway.stream_ratio", streams),
    cpuRatio("gateway.stream_cpu_ratio.on_to_off", streams),
    ...cpuRows("gateway.stream_cpu_us_per_call", streams),
  ].filter(({ value }) => !Number.isNaN(value));
}

function rpsRows(prefix: string, contest: Contest): readonly Row[] {
  return [...contest.standings.values()].map((standing) => ({
    name: `${prefix}.${standing.name}`,
    value: medianOf(standing, "perSecond"),
    unit: "1/s",
  }));
}

function ratioRows(prefix: string, { standings }: Contest): readonly Row[] {
  return ratios.map(([name, over, under]) => ({
    name: `${prefix}.${name}`,
    value: medianRatio([standings.get(over), standings.get(under)], "perSecond"),
    unit: "ratio",
  }));
}

const ratios = [
  ["off_to_bare", "billing_off", "bare_proxy"],
  ["on_to_off", "billing_on", "billing_off"],
  ["hot_to_off", "billing_on_hot", "billing_off"],
  ["on_to_portkey", "billing_on", "portkey"],
] as const;

function cpuRatio(name: string, { standings }: Contest): Row {
  const pair: [Standing | undefined, Standing | undefined] = [
    standings.get("billing_on"),
    standings.get("billing_off"),
  ];
  return { name, value: medianRatio(pair, "cpuMicrosPerCall"), unit: "ratio" };
}

/** Of the process that clients meet, and of those behind it. */
function cpuRows(prefix: string, contest: Contest): readonly Row[] {
  return [...contest.standings.values()].flatMap((standing): Row[] => {
    const name = `${prefix}.${standing.name}`;
    const behind = Object.keys(standing.rounds[0]?.behindMicrosPerCall ?? {});
    return [
      { name, value: medianOf(standing, "cpuMicrosPerCall"), unit: "us" },
      ...behind.map((process) => ({
        name: `${name}.${process}`,
        value: median(standing.rounds.map((it) => it.behindMicrosPerCall[process] ?? Number.NaN)),
        unit: "us" as const,
      })),
    ];
  });
}
