import assert from "node:assert/strict";
import { test } from "node:test";
import { completionTokens, noUsage, promptTokens, type Usage } from "@farebox/pricing/usage";
import fc from "fast-check";
import { isAbsurd } from "./absurd.ts";
import { readAnthropicUsage } from "./anthropic-usage.ts";
import { readOpenaiUsage } from "./openai-usage.ts";
import { readAnswer } from "./usage.ts";

const count = fc.integer({ min: 0, max: 2_000_000 });
const buckets = fc.record({
  input: count,
  read: count,
  write: count,
  output: count,
  thought: count,
});

test("the buckets of an OpenAI usage sum to the provider's total, whichever way it counts reasoning", () => {
  fc.assert(
    fc.property(buckets, fc.boolean(), fc.boolean(), (it, isBeside, hasTotal) => {
      const prompt = it.input + it.read + it.write;
      const completion = isBeside ? it.output : it.output + it.thought;
      const total = prompt + it.output + it.thought;
      const report = readOpenaiUsage({
        prompt_tokens: prompt,
        completion_tokens: completion,
        ...(hasTotal || isBeside ? { total_tokens: total } : {}),
        prompt_tokens_details: { cached_tokens: it.read, cache_write_tokens: it.write },
        completion_tokens_details: { reasoning_tokens: it.thought },
      });
      assert.equal(report.kind, "reported");
      if (report.kind !== "reported") return;
      assert.equal(promptTokens(report.usage), prompt);
      assert.equal(promptTokens(report.usage) + completionTokens(report.usage), total);
      assert.equal(report.usage.reasoningTokens, it.thought);
    }),
  );
});

test("the same consumption told in either dialect is the same usage", () => {
  fc.assert(
    fc.property(buckets, (it) => {
      const openai = readOpenaiUsage({
        prompt_tokens: it.input + it.read + it.write,
        completion_tokens: it.output + it.thought,
        total_tokens: it.input + it.read + it.write + it.output + it.thought,
        prompt_tokens_details: { cached_tokens: it.read, cache_write_tokens: it.write },
        completion_tokens_details: { reasoning_tokens: it.thought },
      });
      const anthropic = readAnthropicUsage({
        input_tokens: it.input,
        cache_read_input_tokens: it.read,
        cache_creation_input_tokens: it.write,
        output_tokens: it.output + it.thought,
        output_tokens_details: { thinking_tokens: it.thought },
      });
      assert.deepEqual(openai, anthropic);
    }),
  );
});

test("no usage object whatever makes a negative or fractional bucket, or throws", () => {
  const weird = fc.oneof(fc.integer(), fc.double(), fc.constant(null), fc.string(), fc.object());
  const names = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_creation_input_tokens",
  ];
  const raw = fc.dictionary(fc.constantFrom(...names), weird);
  fc.assert(
    fc.property(raw, raw, (usage, details) => {
      const whole = { ...usage, prompt_tokens_details: details, cache_creation: details };
      for (const report of [readOpenaiUsage(whole), readAnthropicUsage(whole)]) {
        if (report.kind !== "reported") continue;
        for (const value of Object.values(report.usage)) {
          assert.ok(Number.isSafeInteger(value) && value >= 0, JSON.stringify(whole));
        }
      }
    }),
  );
});

test("reads usage, id and finish of a whole OpenAI answer", () => {
  const body = Buffer.from(
    JSON.stringify({
      id: "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
      object: "chat.completion",
      created: 1741569952,
      model: "gpt-4.1-2025-04-14",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: 'Grüße: {"usage":{"prompt_tokens":0}}' },
          finish_reason: "stop",
        },
      ],
      usage: { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 },
    }),
  );
  assert.deepEqual(readAnswer("openai", body), {
    usage: {
      kind: "reported",
      usage: { ...noUsage, requests: 1, inputTokens: 19, outputTokens: 10 },
    },
    upstreamId: "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    finish: "stop",
  });
});

test("a tool call that contains a usage is not the usage of an Anthropic answer", () => {
  const body = Buffer.from(
    JSON.stringify({
      id: "msg_013Zva2CMHLNnXjNJJKqJ2EF",
      type: "message",
      content: [
        {
          type: "tool_use",
          id: "toolu_1",
          name: "save",
          input: { usage: { input_tokens: 0, output_tokens: 0 } },
        },
      ],
      stop_reason: "tool_use",
      usage: { input_tokens: 2095, output_tokens: 503 },
    }),
  );
  assert.deepEqual(readAnswer("anthropic", body), {
    usage: {
      kind: "reported",
      usage: { ...noUsage, requests: 1, inputTokens: 2095, outputTokens: 503 },
    },
    upstreamId: "msg_013Zva2CMHLNnXjNJJKqJ2EF",
    finish: "tool_use",
  });
});

test("an answer that is no JSON is malformed, never free", () => {
  assert.equal(readAnswer("openai", Buffer.from("<html>")).usage.kind, "malformed");
});

const use = (usage: Partial<Usage>): Usage => ({ ...noUsage, ...usage });
const model = { contextTokens: 1000, maxOutputTokens: 100, choices: 2 };
const absurd: [
  name: string,
  usage: Usage,
  bounds: Parameters<typeof isAbsurd>[1],
  want: boolean,
][] = [
  [
    "believes a prompt that fills the window",
    use({ inputTokens: 400, cacheReadTokens: 600 }),
    model,
    false,
  ],
  [
    "doubts a prompt beyond the window, cached or not",
    use({ inputTokens: 401, cacheReadTokens: 600 }),
    model,
    true,
  ],
  [
    "believes every choice at its limit",
    use({ outputTokens: 150, reasoningTokens: 50 }),
    model,
    false,
  ],
  [
    "doubts more output than all choices can hold",
    use({ outputTokens: 150, reasoningTokens: 51 }),
    model,
    true,
  ],
  [
    "takes the window for an output limit that is not known",
    use({ outputTokens: 2001 }),
    { ...model, maxOutputTokens: undefined },
    true,
  ],
  [
    "doubts a thousand million tokens of a model without limits",
    use({ inputTokens: 1e9 }),
    { contextTokens: undefined, maxOutputTokens: undefined, choices: 1 },
    true,
  ],
];
for (const [name, usage, bounds, want] of absurd) {
  test(name, () => assert.equal(isAbsurd(usage, bounds), want));
}
