import type { Resources } from "./resources.ts";

export const strategies = [
  "BIN_PACK",
  "SPREAD",
  "LEAST_LOADED",
  "BEST_OF_TWO",
  "AFFINITY",
] as const;
export type Strategy = (typeof strategies)[number];

/** What somebody asked for, as it is kept: the container can be made from it again. */
export type DeviceAsk = {
  readonly userId: string;
  readonly image: string;
  /** Empty for what the image runs. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly isReadOnly: boolean;
  readonly resources: Resources;
  /** Without extensions. */
  readonly termMs: number;
  readonly strategy: Strategy;
  readonly labels: Readonly<Record<string, string>>;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly priority: number;
  /** Traffic that is held for, in units of 2²⁰ bytes. */
  readonly networkMb: number;
};
