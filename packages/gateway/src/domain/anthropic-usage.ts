import { isJsonObject, type JsonObject, objectOf } from "./json-value.ts";
import { tokenCounts } from "./token-count.ts";
import { malformedUsage, missingUsage, type UsageReport } from "./usage-report.ts";

/**
 * Reads a usage object of the Anthropic dialect, whose input, cache reads and cache writes are disjoint already. Writes are
 * split by how long they are kept; a write without a split is one of five minutes, the provider's default.
 */
export function readAnthropicUsage(value: unknown): UsageReport {
  const raw = objectOf(value);
  if (raw === undefined) {
    return value === undefined || value === null ? missingUsage : malformedUsage("not an object");
  }
  const counts = tokenCounts(raw, countNames);
  if (typeof counts === "string") return malformedUsage(counts);
  const kept = tokenCounts(objectOf(raw.cache_creation), keptNames);
  if (typeof kept === "string") return malformedUsage(kept);
  const details = tokenCounts(objectOf(raw.output_tokens_details), detailNames);
  if (typeof details === "string") return malformedUsage(details);

  const { input_tokens: inputTokens, output_tokens: output } = counts;
  if (inputTokens === undefined && output === undefined) return missingUsage;
  if (inputTokens === undefined) return malformedUsage("input_tokens is missing");
  if (output === undefined) return malformedUsage("output_tokens is missing");

  const cacheWrite1hTokens = kept.ephemeral_1h_input_tokens ?? 0;
  const split = cacheWrite1hTokens + (kept.ephemeral_5m_input_tokens ?? 0);
  const written = counts.cache_creation_input_tokens ?? split;
  if (split > written) return malformedUsage("cache_creation exceeds cache_creation_input_tokens");
  const reasoningTokens = details.thinking_tokens ?? 0;
  if (reasoningTokens > output) return malformedUsage("thinking_tokens exceeds output_tokens");

  return {
    kind: "reported",
    usage: {
      inputTokens,
      cacheReadTokens: counts.cache_read_input_tokens ?? 0,
      cacheWriteTokens: written - cacheWrite1hTokens,
      cacheWrite1hTokens,
      audioInputTokens: 0,
      outputTokens: output - reasoningTokens,
      reasoningTokens,
      audioOutputTokens: 0,
      images: 0,
      requests: 1,
    },
  };
}

/**
 * Lays the usage of a `message_delta` over what the stream said before. Its counts are cumulative, so the later one holds;
 * what it does not restate, or restates as null, stays. A restated write total that disagrees with the earlier split ends
 * that split.
 */
export function mergeAnthropicUsage(before: unknown, later: unknown): unknown {
  if (!isJsonObject(later)) return before;
  const merged: { [key: string]: unknown } = isJsonObject(before) ? { ...before } : {};
  const splitEnds = isSplitEnded(merged, later);
  for (const key of Object.keys(later)) {
    if (later[key] !== null) merged[key] = later[key];
  }
  if (splitEnds) delete merged.cache_creation;
  return merged;
}

function isSplitEnded(before: JsonObject, later: JsonObject): boolean {
  const total = later.cache_creation_input_tokens;
  if (isJsonObject(later.cache_creation) || typeof total !== "number") return false;
  return total !== before.cache_creation_input_tokens;
}

const countNames = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_creation_input_tokens",
] as const;
const keptNames = ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"] as const;
const detailNames = ["thinking_tokens"] as const;
