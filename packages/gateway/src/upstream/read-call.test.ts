import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Dialect, ParsedCall, PromptShape } from "../domain/call.ts";
import { readCall } from "./read-call.ts";
import { repeatedMember } from "./repeated-member.ts";

const hi = '"messages":[{"role":"user","content":"hi"}]';

function call(dialect: Dialect, body: string): ParsedCall {
  const read = readCall(dialect, Buffer.from(body));
  assert.equal(read.kind, "call", JSON.stringify(read));
  return read.kind === "call" ? read.call : assert.fail();
}

const plain: PromptShape = {
  images: 0,
  audioChars: 0,
  documents: 0,
  tools: 0,
  builtinTools: 0,
  providerTools: 0,
  mediaBytes: 0,
};

test("reads what an OpenAI call says, and keeps its body", () => {
  const body = `{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true,"x":1},"n":3,"max_tokens":50,${hi},"unknown":[1e400]}`;
  assert.deepEqual(call("openai", body), {
    dialect: "openai",
    body: Buffer.from(body),
    model: "gpt-4o",
    stream: true,
    includeUsageAsked: true,
    hasStreamOptions: true,
    outputLimit: 50,
    outputLimitField: "max_tokens",
    outputFloor: 1,
    choices: 3,
    prompt: plain,
  });
});

test("takes null for absent, as OpenAI does", () => {
  const read = call(
    "openai",
    `{"model":"m","stream":null,"stream_options":null,"n":null,"max_tokens":null,"max_completion_tokens":7,${hi}}`,
  );
  assert.deepEqual(
    [
      read.stream,
      read.includeUsageAsked,
      read.hasStreamOptions,
      read.choices,
      read.outputLimit,
      read.outputLimitField,
    ],
    [false, false, false, 1, 7, "max_completion_tokens"],
  );
});

test("reads a model name beyond ASCII as it is written", () => {
  assert.equal(call("openai", `{"model":"模型-é",${hi}}`).model, "模型-é");
});

test("reads what an Anthropic call says, its thinking budget included", () => {
  const read = call(
    "anthropic",
    `{"model":"claude-opus-4-5","max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":2048},${hi}}`,
  );
  assert.deepEqual(
    [
      read.model,
      read.stream,
      read.includeUsageAsked,
      read.outputLimit,
      read.outputLimitField,
      read.outputFloor,
      read.choices,
      read.prompt,
    ],
    ["claude-opus-4-5", false, true, 4096, "max_tokens", 2049, 1, plain],
  );
});

test("a thinking budget above the limit, as between tool calls, sets no floor", () => {
  assert.equal(
    call("anthropic", `{"model":"c","max_tokens":100,"thinking":{"budget_tokens":2048},${hi}}`)
      .outputFloor,
    1,
  );
});

// biome-ignore format: a table is read by column
const faults: [dialect: Dialect, body: string, field: string, message: string][] = [
  ["openai", "", "body", "must be a JSON object"],
  ["openai", "[1]", "body", "must be a JSON object"],
  ["openai", '{"model":"m"', "body", "must be a JSON object"],
  ["openai", "{}", "model", "is required"],
  ["openai", '{"model":7}', "model", "must be a string"],
  ["openai", '{"model":""}', "model", "must have 1 to 256 characters"],
  ["openai", `{"model":"${"m".repeat(257)}"}`, "model", "must have 1 to 256 characters"],
  ["openai", '{"model":"m","stream":"true"}', "stream", "must be true or false"],
  ["openai", '{"model":"m","stream_options":[]}', "stream_options", "must be an object"],
  ["openai", '{"model":"m","stream_options":{"include_usage":1}}', "stream_options.include_usage", "must be true or false"],
  ["openai", '{"model":"m","n":0}', "n", "must be a whole number from 1 to 128"],
  ["openai", '{"model":"m","n":129}', "n", "must be a whole number from 1 to 128"],
  ["openai", '{"model":"m","n":1.5}', "n", "must be a whole number from 1 to 128"],
  ["openai", '{"model":"m","max_tokens":"9"}', "max_tokens", "must be a whole number of at least 1"],
  ["openai", '{"model":"m","max_completion_tokens":-1}', "max_completion_tokens", "must be a whole number of at least 1"],
  ["openai", '{"model":"m","max_tokens":1e300}', "max_tokens", "must be a whole number of at least 1"],
  ["openai", '{"model":"m","max_tokens":9,"max_completion_tokens":9}', "max_tokens", "must not be set together with max_completion_tokens"],
  ["openai", '{"model":"dear","messages":[],"model":"cheap"}', "model", "must not be repeated"],
  ["openai", '{"mod\\u0065l":"dear","model":"cheap"}', "model", "must not be repeated"],
  ["openai", '{"model":"m","n":5,"n":1}', "n", "must not be repeated"],
  ["anthropic", '{"model":"m","max_tokens":0}', "max_tokens", "must be a whole number of at least 1"],
  ["anthropic", '{"model":"m","max_tokens":8,"max_tokens":9}', "max_tokens", "must not be repeated"],
  ["anthropic", '{"model":null}', "model", "must be a string"],
];
for (const [dialect, body, field, message] of faults) {
  test(`refuses ${body.slice(0, 60)} (${dialect}): ${field} ${message}`, () => {
    assert.deepEqual(readCall(dialect, Buffer.from(body)), { kind: "fault", field, message });
  });
}

test("a member of the same name deeper down is no repetition", () => {
  call(
    "openai",
    `{"model":"m","tools":[{"function":{"parameters":{"properties":{"model":{},"n":{}}}}}],"n":1,"x":{"model":1,"max_tokens":2},${hi}}`,
  );
});

test("counts an OpenAI prompt's images, audio, files and tools apart from its text", () => {
  const parts = [
    { type: "text", text: "what is this?" },
    { type: "image_url", image_url: { url: "https://example.com/a.png" } },
    {
      type: "image_url",
      image_url: { url: `data:image/png;base64,${"A".repeat(100)}`, detail: "high" },
    },
    { type: "input_audio", input_audio: { data: "B".repeat(640), format: "wav" } },
    { type: "file", file: { file_id: "file-1" } },
  ];
  const body = {
    model: "gpt-4o",
    messages: [
      { role: "user", content: parts },
      { role: "assistant", audio: { id: "audio_1" } },
    ],
    tools: [{}, {}],
    functions: [{}],
    web_search_options: {},
  };
  assert.deepEqual(call("openai", JSON.stringify(body)).prompt, {
    images: 2,
    audioChars: 640,
    documents: 2,
    tools: 3,
    builtinTools: 0,
    providerTools: 1,
    mediaBytes: 640 + 122,
  });
});

test("counts an Anthropic prompt's images, documents and tools, in tool results too", () => {
  const image = {
    type: "image",
    source: { type: "base64", media_type: "image/png", data: "C".repeat(80) },
  };
  const content = [
    image,
    { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
    { type: "tool_result", tool_use_id: "toolu_1", content: [image, { type: "text", text: "ok" }] },
    { type: "document", source: { type: "text", data: "plain text" } },
    {
      type: "document",
      source: { type: "base64", media_type: "application/pdf", data: "D".repeat(10) },
    },
    { type: "document", source: { type: "content", content: [image] } },
  ];
  const tools = [
    { name: "a", input_schema: {} },
    { type: "custom", name: "b" },
    { type: "bash_20250124", name: "bash" },
    { type: "web_search_20250305", name: "web_search" },
  ];
  const body = {
    model: "claude",
    max_tokens: 9,
    messages: [{ role: "user", content }],
    tools,
    mcp_servers: [{}],
  };
  assert.deepEqual(call("anthropic", JSON.stringify(body)).prompt, {
    images: 4,
    audioChars: 0,
    documents: 1,
    tools: 2,
    builtinTools: 1,
    providerTools: 2,
    mediaBytes: 3 * 80 + 10,
  });
});

test("no spelling of a body hides a repeated member, and none is taken for one", () => {
  const key = fc.constantFrom(
    '"model"',
    '"\\u006dodel"',
    '"mode\\u006c"',
    '"modem"',
    '"n"',
    '"x\\\\"',
    '"\\"model"',
  );
  const value = fc.constantFrom(
    '"model"',
    '"a\\\\"',
    '"\\"model\\":1"',
    '{"model":1,"model":2}',
    '["model","model"]',
    "1",
    '"}{"',
  );
  const gap = fc.constantFrom("", " ", "\n\t");
  const member = fc.tuple(gap, key, gap, value, gap);
  fc.assert(
    fc.property(fc.array(member, { maxLength: 6 }), (members) => {
      const text = `{${members.map(([a, k, b, v, c]) => `${a}${k}${b}:${v}${c}`).join(",")}}`;
      const isTwice = members.filter(([, k]) => JSON.parse(k) === "model").length > 1;
      assert.equal(repeatedMember(text, ["model"]), isTwice ? "model" : undefined);
    }),
  );
});
