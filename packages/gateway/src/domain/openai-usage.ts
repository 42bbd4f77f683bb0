import type { Usage } from "@farebox/pricing/usage";
import { type JsonObject, objectOf } from "./json-value.ts";
import { providerCostNanos } from "./provider-cost.ts";
import { tokenCounts } from "./token-count.ts";
import { malformedUsage, missingUsage, type UsageReport } from "./usage-report.ts";

/**
 * Takes apart a usage object of the OpenAI dialect, where cached, written and audio tokens are counted inside the prompt
 * and reasoning and audio inside the completion.
 *
 * Providers that borrow the dialect differ, and the total tells how: xAI and Gemini count reasoning beside the completion
 * (total = prompt + completion + reasoning), DeepSeek names its cache hits `prompt_cache_hit_tokens`, Moonshot puts
 * `cached_tokens` at the top, OpenRouter adds `cache_write_tokens` and what the call cost. The sum of the buckets is the
 * provider's own total whenever it states one; a usage whose parts contradict each other is malformed.
 */
export function readOpenaiUsage(value: unknown): UsageReport {
  const raw = objectOf(value);
  if (raw === undefined) {
    return value === undefined || value === null ? missingUsage : malformedUsage("not an object");
  }
  const totals = tokenCounts(raw, totalNames);
  if (typeof totals === "string") return malformedUsage(totals);
  const promptParts = tokenCounts(objectOf(raw.prompt_tokens_details), promptNames);
  if (typeof promptParts === "string") return malformedUsage(promptParts);
  const completionParts = tokenCounts(objectOf(raw.completion_tokens_details), completionNames);
  if (typeof completionParts === "string") return malformedUsage(completionParts);

  const { prompt_tokens: prompt, total_tokens: total } = totals;
  let completion = totals.completion_tokens;
  if (prompt === undefined) {
    return completion === undefined && total === undefined
      ? missingUsage
      : malformedUsage("prompt_tokens is missing");
  }
  // Embeddings have no completion, only a total; without either the completion is unknown, which is not zero.
  if (completion === undefined && total !== undefined) completion = total - prompt;
  if (completion === undefined) return malformedUsage("completion_tokens is missing");

  const cacheReadTokens =
    promptParts.cached_tokens ?? totals.prompt_cache_hit_tokens ?? totals.cached_tokens ?? 0;
  const cacheWriteTokens = promptParts.cache_write_tokens ?? 0;
  const audioInputTokens = promptParts.audio_tokens ?? 0;
  const inputTokens = prompt - cacheReadTokens - cacheWriteTokens - audioInputTokens;
  if (inputTokens < 0) return malformedUsage("prompt details exceed prompt_tokens");

  const stated = completionParts.reasoning_tokens ?? 0;
  const beside = (total ?? prompt + completion) - prompt - completion;
  if (beside < 0) return malformedUsage("total_tokens is less than its parts");
  if (beside > 0 && stated > 0 && beside !== stated) {
    return malformedUsage("total_tokens is not the sum of its parts");
  }
  const reasoningTokens = beside > 0 ? beside : stated;
  const audioOutputTokens = completionParts.audio_tokens ?? 0;
  const outputTokens = completion + beside - reasoningTokens - audioOutputTokens;
  if (outputTokens < 0) return malformedUsage("completion details exceed completion_tokens");

  return reported(raw, {
    inputTokens,
    cacheReadTokens,
    cacheWriteTokens,
    cacheWrite1hTokens: 0,
    audioInputTokens,
    outputTokens,
    reasoningTokens,
    audioOutputTokens,
    images: 0,
    requests: 1,
  });
}

function reported(raw: JsonObject, usage: Usage): UsageReport {
  const cost = providerCostNanos(raw);
  return cost === undefined
    ? { kind: "reported", usage }
    : { kind: "reported", usage, providerCostNanos: cost };
}

const totalNames = [
  "prompt_tokens",
  "completion_tokens",
  "total_tokens",
  "prompt_cache_hit_tokens",
  "cached_tokens",
] as const;
const promptNames = ["cached_tokens", "audio_tokens", "cache_write_tokens"] as const;
const completionNames = ["reasoning_tokens", "audio_tokens"] as const;
