import { parseArgs } from "node:util";

/** How a run of the benchmark is to go. */
export type BenchOptions = {
  readonly parts: readonly PartName[];
  /** Where the figures go as JSON; undefined for nowhere. */
  readonly jsonFile: string | undefined;
  /** Whether another make of gateway is installed and measured beside ours. */
  readonly withPortkey: boolean;
  /** Where Node processes leave CPU profiles; undefined for none. Profiling makes them slower. */
  readonly profileFolder: string | undefined;
  /** Of each closed loop and each run of wrk. */
  readonly durationMs: number;
  readonly warmUpMs: number;
  readonly rounds: number;
  /** How many accounts share the load, where it is not on one. */
  readonly accounts: number;
  /** How many accounts make one call each in the part `spread10k`. */
  readonly singleCallAccounts: number;
  /** Calls in flight in closed loops without HTTP. */
  readonly fibres: number;
  readonly openLoopPerSecond: number;
  /** wrk's. */
  readonly connections: number;
};

export type PartName = (typeof partNames)[number];

/** All parts, in the order they run. */
export const partNames = ["billing", "gateway", "spread10k", "devices"] as const;

/** What is measured when nothing else is said: the figures that releases are compared by. */
export const benchDefaults: BenchOptions = {
  parts: ["billing", "gateway"],
  jsonFile: undefined,
  withPortkey: false,
  profileFolder: undefined,
  durationMs: 5_000,
  warmUpMs: 2_000,
  rounds: 3,
  accounts: 500,
  singleCallAccounts: 10_000,
  fibres: 256,
  openLoopPerSecond: 5_000,
  connections: 128,
};

const usage = `usage: npm run bench [-- [${partNames.join("] [")}] [--json FILE] [--portkey] [--seconds N] [--rounds N] [--profile FOLDER]]`;
const secondsMax = 600;
const roundsMax = 100;

/** Reads the command line. Throws an Error with the usage in its message. */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = readArgs(args);
  const parts = partNames.filter((name) => positionals.includes(name));
  const unknown = positionals.find((word) => !partNames.some((name) => name === word));
  if (unknown !== undefined) throw new Error(`${unknown} is not a part\n${usage}`);
  return {
    ...benchDefaults,
    parts: parts.length === 0 ? benchDefaults.parts : parts,
    jsonFile: values.json,
    withPortkey: values.portkey,
    profileFolder: values.profile,
    durationMs: whole("--seconds", values.seconds, secondsMax, 5) * 1_000,
    rounds: whole("--rounds", values.rounds, roundsMax, benchDefaults.rounds),
  };
}

function readArgs(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: "string" },
        portkey: { type: "boolean", default: false },
        profile: { type: "string" },
        seconds: { type: "string" },
        rounds: { type: "string" },
      },
    });
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${usage}`);
  }
}

function whole(name: string, text: string | undefined, most: number, usual: number): number {
  if (text === undefined) return usual;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new Error(`${name} ${text} is not a whole number from 1 to ${most}\n${usage}`);
  }
  return value;
}
