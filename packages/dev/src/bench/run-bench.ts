import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { BenchOptions, PartName } from "./bench-options.ts";
import type { BenchRow } from "./bench-row.ts";
import { billingPart } from "./billing/billing-part.ts";
import { spreadPart } from "./billing/spread-part.ts";
import { UsageTally } from "./conserve/usage-tally.ts";
import { devicesPart } from "./devices/devices-part.ts";
import { gatewayPart } from "./gateway/gateway-part.ts";
import { type InstallationRequest, openInstallation } from "./installation.ts";
import { describeMachine } from "./machine.ts";
import type { Part } from "./part.ts";

/** What a run came to. */
export type BenchReport = {
  readonly rows: readonly BenchRow[];
  /** Empty when everything was conserved and nothing made a figure worthless. */
  readonly faults: readonly string[];
  readonly machine: string;
  readonly tookSeconds: number;
};

/** Where to run: the databases when not private ones, and who is told how it goes. */
export type BenchPlace = Pick<InstallationRequest, "given" | "log">;

const parts: Readonly<Record<PartName, Part>> = {
  billing: billingPart,
  gateway: gatewayPart,
  spread10k: spreadPart,
  devices: devicesPart,
};

/**
 * Runs the benchmark in a temporary folder of its own, which is gone afterwards, and writes the JSON file when one is asked
 * for. A part that is not conserved, or was disturbed, marks its own figures and the run goes on.
 */
export async function runBench(options: BenchOptions, place: BenchPlace): Promise<BenchReport> {
  const begunMs = performance.now();
  const home = mkdtempSync(join(tmpdir(), "farebox-bench-"));
  const profileFolder = options.profileFolder && resolve(options.profileFolder);
  if (profileFolder) mkdirSync(profileFolder, { recursive: true });
  try {
    await using installation = await openInstallation({ ...place, home, profileFolder });
    const { databaseUrl } = installation;
    const machine = await describeMachine({ folder: home, databaseUrl });
    place.log(machine);
    const delivered = new UsageTally();
    const rows: BenchRow[] = [];
    const faults: string[] = [];
    for (const name of options.parts) {
      const log = (line: string) => place.log(`${name}: ${line}`);
      const result = await parts[name]({ installation, delivered, options, log });
      const conserved = result.faults.length === 0;
      rows.push(...result.rows.map((row) => ({ ...row, conserved })));
      faults.push(...result.faults.map((fault) => `${name}: ${fault}`));
    }
    if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, toJson(rows));
    return { rows, faults, machine, tookSeconds: (performance.now() - begunMs) / 1_000 };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function toJson(rows: readonly BenchRow[]): string {
  return `${JSON.stringify(rows, null, 2)}\n`;
}
