import assert from "node:assert/strict";
import { test } from "node:test";
import { noUsage } from "@farebox/pricing/usage";
import type { ModelLimits } from "./absurd.ts";
import { answerContent } from "./answer-content.ts";
import type { ParsedCall } from "./call.ts";
import { estimateUsage } from "./estimate.ts";
import { type LimitDecision, limitOutput } from "./limit.ts";
import { promptText } from "./prompt-text.ts";
import { inputBoundByBytes, inputBoundByTokenizer, outputBound } from "./token-bound.ts";
import { type TokenFamily, type Tokenizers, tokenFamily } from "./tokenizers.ts";

/** Counts words, so that a test can be read. */
const words: Tokenizers = {
  count: (_family, text) => text.split(/\s+/).filter((it) => it !== "").length,
};
const window: ModelLimits = { contextTokens: 128_000, maxOutputTokens: 16_384 };
const unknown: ModelLimits = { contextTokens: undefined, maxOutputTokens: undefined };

function call(
  more: Partial<ParsedCall> = {},
  prompt: Partial<ParsedCall["prompt"]> = {},
): ParsedCall {
  return {
    dialect: "openai",
    body: Buffer.from('{"model":"gpt-4o","messages":[{"role":"user","content":"one two three"}]}'),
    model: "gpt-4o",
    stream: false,
    includeUsageAsked: false,
    hasStreamOptions: false,
    outputLimit: undefined,
    outputLimitField: undefined,
    outputFloor: 1,
    choices: 1,
    ...more,
    prompt: {
      images: 0,
      audioChars: 0,
      documents: 0,
      tools: 0,
      builtinTools: 0,
      providerTools: 0,
      mediaBytes: 0,
      ...prompt,
    },
  };
}
const body = call().body.length;

// biome-ignore format: a table is read by column
const byteBounds: [name: string, call: ParsedCall, limits: ModelLimits, want: number][] = [
  ["text costs at most its bytes", call(), window, body],
  ["inline media cost by table, not by their bytes", call({}, { images: 2, mediaBytes: 30 }), window, body - 30 + 2 * 1_445],
  ["an image costs what its model charges", call({ model: "openai/gpt-4o-mini" }, { images: 1 }), window, body + 48_169],
  ["an image of a model that is not known costs the most", call({ model: "llama" }, { images: 1 }), window, body + 24_600],
  ["an image at Anthropic costs Anthropic's most", call({ dialect: "anthropic", model: "claude-opus-4-5" }, { images: 1 }), window, body + 4_784],
  ["audio costs by its length", call({}, { audioChars: 640, mediaBytes: 10 }), window, body - 10 + 10],
  ["tools bring a hidden prompt", call({}, { tools: 2, builtinTools: 1 }), window, body + 600 + 32 + 800],
  ["a document may fill the window", call({}, { documents: 1 }), window, 128_000],
  ["a tool of the provider may fill the window", call({}, { providerTools: 1 }), window, 128_000],
  ["nothing costs more than the window", call({}, { images: 1_000 }), window, 128_000],
  ["a window that is not known is the largest in use", call({}, { documents: 1 }), unknown, 1_048_576],
];
for (const [name, it, limits, want] of byteBounds) {
  test(name, () => assert.equal(inputBoundByBytes(it, limits), want));
}

test("the counted bound is a tenth and 32 above the count of text and frames", () => {
  assert.equal(
    inputBoundByTokenizer(words, call(), window),
    Math.min(body, Math.ceil((4 + 3) * 1.1) + 32),
  );
});

test("a model whose vocabulary is not public, and a text too long to count, have no counted bound", () => {
  assert.equal(inputBoundByTokenizer(words, call({ model: "claude-opus-4-5" }), window), undefined);
  const long = Buffer.from(JSON.stringify({ messages: [{ content: "a ".repeat(10_000) }] }));
  assert.equal(inputBoundByTokenizer(words, call({ body: long }), window), undefined);
});

// biome-ignore format: a table is read by column
const families: [model: string, want: TokenFamily | undefined][] = [
  ["gpt-4o-2024-08-06", "o200k_base"], ["openai/gpt-5-mini", "o200k_base"], ["o3", "o200k_base"], ["gpt-4.1", "o200k_base"],
  ["gpt-4-turbo", "cl100k_base"], ["gpt-3.5-turbo", "cl100k_base"], ["claude-opus-4-5", undefined], ["llama-4", undefined],
];
for (const [model, want] of families) {
  test(`${model} counts in ${want ?? "no public vocabulary"}`, () =>
    assert.equal(tokenFamily(model), want));
}

// biome-ignore format: a table is read by column
const outputs: [name: string, call: ParsedCall, limits: ModelLimits, want: number][] = [
  ["the client's limit bounds the output", call({ outputLimit: 50 }), window, 50],
  ["a client's limit beyond the window means the window", call({ outputLimit: 1e9 }), window, 128_000],
  ["without one the model's limit does", call(), window, 16_384],
  ["without either the window does", call(), { ...window, maxOutputTokens: undefined }, 128_000],
  ["of a model that is not known, the largest window", call(), unknown, 1_048_576],
];
for (const [name, it, limits, want] of outputs) {
  test(name, () => assert.equal(outputBound(it, limits), want));
}

const limited = call({ outputLimit: 1000, outputLimitField: "max_completion_tokens" });
const asIs: LimitDecision = { kind: "as-is" };
const refuse: LimitDecision = { kind: "refuse" };
const clamp = (
  value: number,
  field: "max_tokens" | "max_completion_tokens" = "max_tokens",
): LimitDecision => ({ kind: "clamp", field, value });
// biome-ignore format: a table is read by column
const decisions: [name: string, call: ParsedCall, wantedTokens: number, affordableTokens: number, want: LimitDecision][] = [
  ["leaves a call that can be paid as it is", limited, 1000, 1000, asIs],
  ["leaves a call that asks for less than the least as it is", call({ outputLimit: 5 }), 5, 5, asIs],
  ["lowers the client's limit in the client's field", limited, 1000, 999, clamp(999, "max_completion_tokens")],
  ["adds a limit when there is none", call(), 16_384, 100, clamp(100)],
  ["adds it where OpenAI's reasoning models look for it", call({ model: "o3-mini" }), 16_384, 100, clamp(100, "max_completion_tokens")],
  ["knows the newer families behind a maker's name", call({ model: "openai/gpt-5.1" }), 16_384, 100, clamp(100, "max_completion_tokens")],
  ["adds it in Anthropic's own field", call({ dialect: "anthropic", model: "claude" }), 16_384, 100, clamp(100)],
  ["shares what there is between the choices, rounding down", call({ choices: 3 }), 100, 200, clamp(66)],
  ["goes down to 16 tokens", call(), 1000, 16, clamp(16)],
  ["refuses below 16 tokens", call(), 1000, 15, refuse],
  ["refuses below 16 tokens a choice", call({ choices: 2 }), 1000, 31, refuse],
  ["refuses a limit that a thinking budget does not fit in", call({ outputFloor: 513 }), 1000, 512, refuse],
  ["refuses without money", call(), 1000, 0, refuse],
];
for (const [name, it, wantedTokens, affordableTokens, want] of decisions) {
  test(name, () => assert.deepEqual(limitOutput(it, { wantedTokens, affordableTokens }), want));
}

const said = { pieces: ["four wo", "rds were said"], textBytes: 20 };

test("an estimate counts the prompt that was asked and the text that was delivered", () => {
  assert.deepEqual(estimateUsage(words, { call: call(), delivered: said }), {
    ...noUsage,
    inputTokens: 3 + 4 + 3,
    outputTokens: 4,
    requests: 1,
  });
});

test("a provider's own count of the prompt stands, and its output where it is the larger", () => {
  const known = { ...noUsage, inputTokens: 70, cacheReadTokens: 9, outputTokens: 1, requests: 1 };
  assert.deepEqual(estimateUsage(words, { call: call(), delivered: said, known }), {
    ...known,
    outputTokens: 4,
  });
  const more = { ...known, outputTokens: 40 };
  assert.deepEqual(estimateUsage(words, { call: call(), delivered: said, known: more }), more);
});

test("reasoning the provider counted is not counted again out of the delivered text", () => {
  const known = { ...noUsage, inputTokens: 70, reasoningTokens: 3, requests: 1 };
  assert.equal(estimateUsage(words, { call: call(), delivered: said, known }).outputTokens, 1);
});

test("text beyond what was kept counts at four bytes a token", () => {
  assert.equal(
    estimateUsage(words, { call: call(), delivered: { ...said, textBytes: 20 + 41 } }).outputTokens,
    4 + 11,
  );
});

test("nothing delivered is no output", () => {
  assert.equal(
    estimateUsage(words, { call: call(), delivered: { pieces: [], textBytes: 0 } }).outputTokens,
    0,
  );
});

test("the text of a prompt is its words and its tools, never its media", () => {
  const openai = {
    messages: [
      { role: "system", content: "be kind" },
      {
        role: "user",
        name: "ann",
        content: [
          { type: "text", text: "see" },
          { type: "image_url", image_url: { url: "data:x" } },
        ],
      },
      {
        role: "assistant",
        tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
      },
    ],
    tools: [{ type: "function" }],
  };
  assert.deepEqual(promptText(call({ body: Buffer.from(JSON.stringify(openai)) })), {
    pieces: ["be kind", "ann", "see", "f", "{}", '[{"type":"function"}]'],
    messages: 3,
  });
  const anthropic = {
    system: [{ type: "text", text: "be kind", cache_control: { type: "ephemeral" } }],
    messages: [
      {
        role: "user",
        content: [
          { type: "document", source: { type: "text", data: "a paper" } },
          { type: "image", source: { data: "x" } },
          { type: "tool_result", tool_use_id: "t", content: "42" },
        ],
      },
    ],
  };
  assert.deepEqual(promptText(call({ body: Buffer.from(JSON.stringify(anthropic)) })).pieces, [
    "be kind",
    "a paper",
    "42",
  ]);
});

test("the text of a whole answer is what each dialect generated", () => {
  const openai = {
    choices: [
      {
        message: {
          role: "assistant",
          content: "Grüße",
          reasoning_content: "so",
          tool_calls: [{ function: { name: "f", arguments: "{}" } }],
        },
      },
      { message: { content: "b" } },
    ],
  };
  assert.deepEqual(answerContent("openai", openai).pieces, ["Grüße", "so", "f", "{}", "b"]);
  const anthropic = {
    content: [
      { type: "thinking", thinking: "hm", signature: "x" },
      { type: "text", text: "hi" },
      { type: "tool_use", name: "f", input: { a: 1 } },
    ],
  };
  assert.deepEqual(answerContent("anthropic", anthropic).pieces, ["hm", "hi", "f", '{"a":1}']);
  assert.equal(answerContent("openai", {}).textBytes, 0);
});
