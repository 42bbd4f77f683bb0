import assert from "node:assert/strict";
import { test } from "node:test";
import { noUsage, type Usage } from "@farebox/pricing/usage";
import { readOpenaiUsage } from "./openai-usage.ts";
import type { UsageReport } from "./usage-report.ts";

const call: Usage = { ...noUsage, requests: 1 };
const reported = (usage: Partial<Usage>, providerCostNanos?: bigint): UsageReport =>
  providerCostNanos === undefined
    ? { kind: "reported", usage: { ...call, ...usage } }
    : { kind: "reported", usage: { ...call, ...usage }, providerCostNanos };
const malformed = (why: string): UsageReport => ({ kind: "malformed", why });
const missing: UsageReport = { kind: "missing" };

const cases: [name: string, raw: unknown, want: UsageReport][] = [
  [
    "takes cached and audio tokens out of the prompt, reasoning and audio out of the completion",
    {
      prompt_tokens: 1117,
      completion_tokens: 146,
      total_tokens: 1263,
      prompt_tokens_details: { cached_tokens: 1024, audio_tokens: 7 },
      completion_tokens_details: {
        reasoning_tokens: 64,
        audio_tokens: 5,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    },
    reported({
      inputTokens: 86,
      cacheReadTokens: 1024,
      audioInputTokens: 7,
      outputTokens: 77,
      reasoningTokens: 64,
      audioOutputTokens: 5,
    }),
  ],
  [
    "reads the plain shape of a compatible server",
    { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
    reported({ inputTokens: 12, outputTokens: 3 }),
  ],
  [
    "keeps an explicit zero apart from silence",
    { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
    reported({}),
  ],
  [
    "takes null details for none",
    {
      prompt_tokens: 2,
      completion_tokens: 1,
      prompt_tokens_details: null,
      completion_tokens_details: { reasoning_tokens: null },
    },
    reported({ inputTokens: 2, outputTokens: 1 }),
  ],
  [
    "reads OpenRouter's cache writes and what it charged, exactly",
    {
      prompt_tokens: 10_339,
      completion_tokens: 60,
      total_tokens: 10_399,
      cost: 0.001234567,
      cost_details: { upstream_inference_cost: null },
      prompt_tokens_details: { cached_tokens: 8_000, cache_write_tokens: 2_000, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 20 },
    },
    reported(
      {
        inputTokens: 339,
        cacheReadTokens: 8_000,
        cacheWriteTokens: 2_000,
        outputTokens: 40,
        reasoningTokens: 20,
      },
      1_234_567n,
    ),
  ],
  [
    "reads a cost in exponent spelling",
    { prompt_tokens: 1, completion_tokens: 0, cost: 1.4e-7 },
    reported({ inputTokens: 1 }, 140n),
  ],
  [
    "adds the provider's price to OpenRouter's fee for a key of our own",
    {
      prompt_tokens: 1,
      completion_tokens: 0,
      cost: 0.0001,
      is_byok: true,
      cost_details: { upstream_inference_cost: 0.002 },
    },
    reported({ inputTokens: 1 }, 2_100_000n),
  ],
  [
    "ignores a cost that is no amount",
    { prompt_tokens: 1, completion_tokens: 0, cost: -1 },
    reported({ inputTokens: 1 }),
  ],
  [
    "reads DeepSeek's cache hits",
    {
      prompt_tokens: 100,
      completion_tokens: 9,
      total_tokens: 109,
      prompt_cache_hit_tokens: 64,
      prompt_cache_miss_tokens: 36,
      completion_tokens_details: { reasoning_tokens: 4 },
    },
    reported({ inputTokens: 36, cacheReadTokens: 64, outputTokens: 5, reasoningTokens: 4 }),
  ],
  [
    "reads Moonshot's cached tokens",
    { prompt_tokens: 100, completion_tokens: 9, total_tokens: 109, cached_tokens: 60 },
    reported({ inputTokens: 40, cacheReadTokens: 60, outputTokens: 9 }),
  ],
  [
    "counts xAI's reasoning beside the completion, as its total does",
    {
      prompt_tokens: 32,
      completion_tokens: 9,
      total_tokens: 135,
      completion_tokens_details: { reasoning_tokens: 94 },
    },
    reported({ inputTokens: 32, outputTokens: 9, reasoningTokens: 94 }),
  ],
  [
    "finds Gemini's thinking in the total alone",
    { prompt_tokens: 10, completion_tokens: 5, total_tokens: 115 },
    reported({ inputTokens: 10, outputTokens: 5, reasoningTokens: 100 }),
  ],
  [
    "reads an embedding, which has no completion",
    { prompt_tokens: 8, total_tokens: 8 },
    reported({ inputTokens: 8 }),
  ],
  ["finds no usage in silence", undefined, missing],
  ["finds no usage in null", null, missing],
  ["finds no usage in an empty object", {}, missing],
  ["doubts a usage that is no object", [1], malformed("not an object")],
  [
    "doubts a completion without a prompt",
    { completion_tokens: 3 },
    malformed("prompt_tokens is missing"),
  ],
  [
    "doubts a prompt without a completion",
    { prompt_tokens: 3 },
    malformed("completion_tokens is missing"),
  ],
  [
    "doubts a negative count",
    { prompt_tokens: -1, completion_tokens: 3 },
    malformed("prompt_tokens is not a count"),
  ],
  [
    "doubts a fraction",
    { prompt_tokens: 1, completion_tokens: 3.5 },
    malformed("completion_tokens is not a count"),
  ],
  [
    "doubts a count in a string",
    { prompt_tokens: "7", completion_tokens: 3 },
    malformed("prompt_tokens is not a count"),
  ],
  [
    "doubts a count beyond exact integers",
    { prompt_tokens: 2 ** 53, completion_tokens: 0 },
    malformed("prompt_tokens is not a count"),
  ],
  [
    "doubts more cached tokens than prompt",
    { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 6 } },
    malformed("prompt details exceed prompt_tokens"),
  ],
  [
    "doubts more reasoning than completion",
    { prompt_tokens: 5, completion_tokens: 1, completion_tokens_details: { reasoning_tokens: 2 } },
    malformed("completion details exceed completion_tokens"),
  ],
  [
    "doubts a total below its parts",
    { prompt_tokens: 5, completion_tokens: 5, total_tokens: 9 },
    malformed("total_tokens is less than its parts"),
  ],
  [
    "doubts a total that no reading explains",
    {
      prompt_tokens: 5,
      completion_tokens: 5,
      total_tokens: 20,
      completion_tokens_details: { reasoning_tokens: 3 },
    },
    malformed("total_tokens is not the sum of its parts"),
  ],
];

for (const [name, raw, want] of cases) {
  test(name, () => assert.deepEqual(readOpenaiUsage(raw), want));
}
