import type { TalliedUsage } from "../conserve/usage-tally.ts";

/**
 * What the benchmark's calls consume, in turns: every bucket in use, no two alike, and costs that are no whole nanos, so
 * that a wrong rounding or a swapped bucket shows.
 */
export const benchUsages: readonly TalliedUsage[] = [
  { inputTokens: 241, cacheReadTokens: 0, outputTokens: 170, reasoningTokens: 0 },
  { inputTokens: 113, cacheReadTokens: 128, outputTokens: 169, reasoningTokens: 0 },
  { inputTokens: 242, cacheReadTokens: 0, outputTokens: 106, reasoningTokens: 64 },
  { inputTokens: 49, cacheReadTokens: 192, outputTokens: 139, reasoningTokens: 32 },
  { inputTokens: 243, cacheReadTokens: 0, outputTokens: 171, reasoningTokens: 0 },
  { inputTokens: 115, cacheReadTokens: 128, outputTokens: 167, reasoningTokens: 1 },
  { inputTokens: 244, cacheReadTokens: 0, outputTokens: 172, reasoningTokens: 0 },
];
