import type { BenchOptions } from "./bench-options.ts";
import type { PartResult } from "./bench-row.ts";
import type { UsageTally } from "./conserve/usage-tally.ts";
import type { Installation } from "./installation.ts";

/** One part of the benchmark: measures, and checks that everything it had charged is in the books exactly. */
export type Part = (run: PartRun) => Promise<PartResult>;

/** What a part works with. */
export type PartRun = {
  readonly installation: Installation;
  /**
   * What upstreams have answered since the installation was opened. Parts share one database, so that each adds to it and
   * compares the books with all of it.
   */
  readonly delivered: UsageTally;
  readonly options: BenchOptions;
  readonly log: (line: string) => void;
};
