import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findBinary } from "../../databases/find-binary.ts";
import { type WrkLoad, wrkResultPrefix, wrkScript } from "./wrk-script.ts";

/** What one run of wrk measured. */
export type WrkResult = {
  readonly answered: number;
  /** Answers per second from the first request to the last answer. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What makes the run worthless, in words: answers other than 2xx, broken connections, calls that were cut. */
  readonly faults: readonly string[];
};

/** Where wrk sends its load, and over how many connections. */
export type WrkTarget = { readonly url: string; readonly connections: number };

// What a call that was begun in time may take to be answered; wrk ends earlier when all have been.
const tailSeconds = 30;
const runExecFile = promisify(execFile);

/** Runs wrk with one thread: on two cores a second one would only take from what is measured. Throws when it is not installed. */
export async function runWrk(target: WrkTarget, load: WrkLoad): Promise<WrkResult> {
  const program = findWrk();
  const folder = mkdtempSync(join(tmpdir(), "farebox-wrk-"));
  try {
    const script = join(folder, "load.lua");
    // Only our own eyes: it holds API keys.
    writeFileSync(script, wrkScript(load, target.connections), { mode: 0o600 });
    const seconds = Math.ceil(load.durationMs / 1_000) + tailSeconds;
    const { stdout } = await runExecFile(
      program,
      [
        ...["--threads", "1", "--connections", String(target.connections)],
        ...["--duration", `${seconds}s`, "--timeout", "30s", "--script", script, target.url],
      ],
      { timeout: (seconds + 30) * 1_000 },
    );
    return readResult(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function findWrk(): string {
  const program = findBinary(["wrk"]);
  if (program === undefined) {
    throw new Error(
      "the gateway's benchmark needs wrk 4.1 or later:\n" +
        "  Debian, Ubuntu:  sudo apt-get install --no-install-recommends wrk\n" +
        "  macOS:           brew install wrk\n" +
        "The part `billing` runs without it.",
    );
  }
  return program;
}

type Counted = {
  readonly begun: number;
  readonly answered: number;
  readonly micros: number;
  readonly p50: number;
  readonly p99: number;
  readonly refused: number;
  readonly broken: number;
};

function readResult(output: string): WrkResult {
  const line = output.split("\n").find((text) => text.startsWith(wrkResultPrefix));
  if (line === undefined) throw new Error(`wrk gave no result:\n${output}`);
  const counted: Counted = JSON.parse(line.slice(wrkResultPrefix.length));
  const cut = counted.begun - counted.answered;
  const faults = [
    counted.refused > 0 ? `${counted.refused} answers were not 2xx` : "",
    counted.broken > 0 ? `${counted.broken} connections broke` : "",
    cut > 0 ? `${cut} calls were not answered within ${tailSeconds} s after the last began` : "",
  ];
  return {
    answered: counted.answered,
    perSecond: (counted.answered * 1_000_000) / counted.micros,
    p50Ms: counted.p50 / 1_000,
    p99Ms: counted.p99 / 1_000,
    faults: faults.filter((fault) => fault !== ""),
  };
}
