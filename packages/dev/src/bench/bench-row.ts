/** One figure of a run. Names stay: scripts compare them from release to release. */
export type BenchRow = {
  readonly name: string;
  readonly value: number;
  readonly unit: "1/s" | "ms" | "ratio" | "us";
  /** Whether the part that it comes from charged every call exactly. */
  readonly conserved: boolean;
};

/** What one part of the benchmark found. */
export type PartResult = {
  readonly rows: readonly Omit<BenchRow, "conserved">[];
  /** Differences in the books, or what else makes the figures worthless; none is good. */
  readonly faults: readonly string[];
};
