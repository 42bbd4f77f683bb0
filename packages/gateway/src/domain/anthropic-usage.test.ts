import assert from "node:assert/strict";
import { test } from "node:test";
import { noUsage, type Usage } from "@farebox/pricing/usage";
import { mergeAnthropicUsage, readAnthropicUsage } from "./anthropic-usage.ts";
import type { UsageReport } from "./usage-report.ts";

const reported = (usage: Partial<Usage>): UsageReport => ({
  kind: "reported",
  usage: { ...noUsage, requests: 1, ...usage },
});
const malformed = (why: string): UsageReport => ({ kind: "malformed", why });

const cases: [name: string, raw: unknown, want: UsageReport][] = [
  [
    "keeps the disjoint counts apart and splits the writes by their life",
    {
      input_tokens: 21,
      cache_creation_input_tokens: 556,
      cache_read_input_tokens: 1_800,
      cache_creation: { ephemeral_5m_input_tokens: 456, ephemeral_1h_input_tokens: 100 },
      output_tokens: 503,
      server_tool_use: null,
      service_tier: "standard",
    },
    reported({
      inputTokens: 21,
      cacheReadTokens: 1_800,
      cacheWriteTokens: 456,
      cacheWrite1hTokens: 100,
      outputTokens: 503,
    }),
  ],
  [
    "takes a write without a split for one of five minutes",
    { input_tokens: 1, cache_creation_input_tokens: 9, output_tokens: 2 },
    reported({ inputTokens: 1, cacheWriteTokens: 9, outputTokens: 2 }),
  ],
  [
    "takes the split for the total when there is no total",
    { input_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: 4 }, output_tokens: 2 },
    reported({ inputTokens: 1, cacheWrite1hTokens: 4, outputTokens: 2 }),
  ],
  [
    "takes null cache counts for none",
    {
      input_tokens: 1,
      cache_creation_input_tokens: null,
      cache_read_input_tokens: null,
      output_tokens: 2,
    },
    reported({ inputTokens: 1, outputTokens: 2 }),
  ],
  [
    "takes thinking out of the output where it is told apart",
    { input_tokens: 1, output_tokens: 50, output_tokens_details: { thinking_tokens: 30 } },
    reported({ inputTokens: 1, outputTokens: 20, reasoningTokens: 30 }),
  ],
  [
    "keeps an explicit zero apart from silence",
    { input_tokens: 0, output_tokens: 0 },
    reported({}),
  ],
  ["finds no usage in silence", undefined, { kind: "missing" }],
  ["finds no usage in an empty object", {}, { kind: "missing" }],
  ["doubts an output without an input", { output_tokens: 2 }, malformed("input_tokens is missing")],
  ["doubts an input without an output", { input_tokens: 2 }, malformed("output_tokens is missing")],
  [
    "doubts a negative count",
    { input_tokens: 2, output_tokens: -2 },
    malformed("output_tokens is not a count"),
  ],
  [
    "doubts a split above its total",
    {
      input_tokens: 2,
      output_tokens: 2,
      cache_creation_input_tokens: 3,
      cache_creation: { ephemeral_5m_input_tokens: 4 },
    },
    malformed("cache_creation exceeds cache_creation_input_tokens"),
  ],
];

for (const [name, raw, want] of cases) {
  test(name, () => assert.deepEqual(readAnthropicUsage(raw), want));
}

test("a later count replaces an earlier one, and null or silence replaces nothing", () => {
  const merged = mergeAnthropicUsage(
    { input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 1 },
    { output_tokens: 77, cache_read_input_tokens: null },
  );
  assert.deepEqual(merged, { input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 77 });
});

test("a restated write total that disagrees with the earlier split ends the split", () => {
  const start = {
    input_tokens: 1,
    output_tokens: 1,
    cache_creation_input_tokens: 10,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 10 },
  };
  const same = mergeAnthropicUsage(start, { output_tokens: 2, cache_creation_input_tokens: 10 });
  assert.deepEqual(
    readAnthropicUsage(same),
    reported({ inputTokens: 1, cacheWrite1hTokens: 10, outputTokens: 2 }),
  );
  const other = mergeAnthropicUsage(start, { output_tokens: 2, cache_creation_input_tokens: 4 });
  assert.deepEqual(
    readAnthropicUsage(other),
    reported({ inputTokens: 1, cacheWriteTokens: 4, outputTokens: 2 }),
  );
});
