import type { Usage } from "@farebox/pricing/usage";

/** The buckets that the benchmark's calls use. */
export type TalliedUsage = Pick<
  Usage,
  "inputTokens" | "cacheReadTokens" | "outputTokens" | "reasoningTokens"
>;

/** So many calls that consumed exactly this. */
export type TallyLine = { readonly usage: TalliedUsage; readonly calls: number };

/**
 * Counts calls by what each consumed. Equal tallies stand for equal calls one by one, so that two errors that cancel out in a
 * sum do not pass.
 */
export class UsageTally {
  readonly #calls = new Map<string, number>();

  add({ usage, calls }: TallyLine): void {
    const key = tallyKey(usage);
    if (calls !== 0) this.#calls.set(key, (this.#calls.get(key) ?? 0) + calls);
  }

  /** Calls by `tallyKey`; none is zero. */
  get byKey(): ReadonlyMap<string, number> {
    return this.#calls;
  }

  get calls(): number {
    return [...this.#calls.values()].reduce((sum, calls) => sum + calls, 0);
  }
}

/** Names a usage, for people as well. */
export function tallyKey(usage: { readonly [K in keyof TalliedUsage]: number | bigint }): string {
  const { inputTokens, cacheReadTokens, outputTokens, reasoningTokens } = usage;
  return `input ${inputTokens}, cached ${cacheReadTokens}, output ${outputTokens}, reasoning ${reasoningTokens}`;
}
