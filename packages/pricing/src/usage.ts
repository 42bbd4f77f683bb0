/**
 * What one attempt consumed, in disjoint buckets: no token is counted in two of them, and their sum is the provider's own
 * total. Every count is a non-negative safe integer. Dialects that nest (OpenAI counts cached tokens inside the prompt and
 * reasoning inside the completion) are taken apart before a usage is made.
 */
export type Usage = {
  /** Prompt tokens that were neither read from nor written to a cache, and are not audio. */
  readonly inputTokens: number;
  /** Prompt tokens served from the provider's cache. */
  readonly cacheReadTokens: number;
  /** Prompt tokens written to a cache kept for five minutes (or the provider's default time). */
  readonly cacheWriteTokens: number;
  /** Prompt tokens written to a cache kept for one hour. */
  readonly cacheWrite1hTokens: number;
  /** Prompt tokens that encode audio. */
  readonly audioInputTokens: number;
  /** Completion tokens that the client sees, and are not audio. */
  readonly outputTokens: number;
  /** Completion tokens spent on reasoning, seen by the client or not. */
  readonly reasoningTokens: number;
  /** Completion tokens that encode audio. */
  readonly audioOutputTokens: number;
  /** Images generated. */
  readonly images: number;
  /** Calls that pay the per-request fee; 1 for a call, 0 for work priced by quantity alone. */
  readonly requests: number;
};

/** The buckets of a usage, in the order that every table, snapshot and bill lists them. */
export const usageBuckets = [
  "inputTokens",
  "cacheReadTokens",
  "cacheWriteTokens",
  "cacheWrite1hTokens",
  "audioInputTokens",
  "outputTokens",
  "reasoningTokens",
  "audioOutputTokens",
  "images",
  "requests",
] as const satisfies readonly (keyof Usage)[];

/** A usage of nothing at all: what an upstream failure costs. */
export const noUsage: Usage = Object.freeze({
  inputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  cacheWrite1hTokens: 0,
  audioInputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  audioOutputTokens: 0,
  images: 0,
  requests: 0,
});

/** Tokens of the whole prompt, cached or not: what a context tier is chosen by. */
export function promptTokens(usage: Usage): number {
  return (
    usage.inputTokens +
    usage.cacheReadTokens +
    usage.cacheWriteTokens +
    usage.cacheWrite1hTokens +
    usage.audioInputTokens
  );
}

/** Tokens of the whole completion, reasoning and audio included. */
export function completionTokens(usage: Usage): number {
  return usage.outputTokens + usage.reasoningTokens + usage.audioOutputTokens;
}
