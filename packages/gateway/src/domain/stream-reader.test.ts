import assert from "node:assert/strict";
import { test } from "node:test";
import { noUsage, type Usage } from "@farebox/pricing/usage";
import fc from "fast-check";
import type { Dialect } from "./call.ts";
import { contentCharsMax } from "./stream-content.ts";
import { createStreamReader, type StreamOutcome } from "./stream-reader.ts";

const used = (usage: Partial<Usage>): Usage => ({ ...noUsage, requests: 1, ...usage });

function chunk(delta: object, more: object = {}): string {
  return `data: ${JSON.stringify({
    id: "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
    object: "chat.completion.chunk",
    created: 1741570283,
    model: "gpt-4o-2024-08-06",
    service_tier: "default",
    system_fingerprint: "fp_fc9f1d7035",
    choices: [{ index: 0, delta, logprobs: null, finish_reason: null }],
    usage: null,
    obfuscation: "kX9a",
    ...more,
  })}\n\n`;
}
const openaiUsage = {
  prompt_tokens: 31,
  completion_tokens: 9,
  total_tokens: 40,
  prompt_tokens_details: { cached_tokens: 16, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 4, audio_tokens: 0 },
};
const usageChunk = chunk({}, { choices: [], usage: openaiUsage });
const openaiText = [
  chunk({ role: "assistant", content: "", refusal: null }),
  chunk({ content: 'Grüß "usage":{"x":1} dich 🐘' }),
  ": keep-alive comment\n\n",
  chunk({ content: "data: [DONE] is not the end\n" }),
  chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
].join("");
const done = "data: [DONE]\n\n";
const openaiUsed = used({
  inputTokens: 15,
  cacheReadTokens: 16,
  outputTokens: 5,
  reasoningTokens: 4,
});

function event(type: string, more: object = {}): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
}
const anthropicStart = event("message_start", {
  message: {
    id: "msg_01XFDUDYJgAACzvnptvVoYEL",
    type: "message",
    role: "assistant",
    content: [],
    model: "claude-sonnet-4-5",
    stop_reason: null,
    usage: {
      input_tokens: 472,
      cache_creation_input_tokens: 30,
      cache_read_input_tokens: 100,
      cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
      output_tokens: 2,
    },
  },
});
const anthropicText = [
  anthropicStart,
  event("content_block_start", { index: 0, content_block: { type: "thinking", thinking: "" } }),
  event("ping"),
  event("content_block_delta", { index: 0, delta: { type: "thinking_delta", thinking: "Hmm – " } }),
  event("content_block_stop", { index: 0 }),
  event("content_block_start", {
    index: 1,
    content_block: { type: "tool_use", id: "toolu_1", name: "say", input: {} },
  }),
  event("content_block_delta", {
    index: 1,
    delta: { type: "input_json_delta", partial_json: '{"error":"message_stop"' },
  }),
].join("");
const anthropicEnd = [
  event("content_block_stop", { index: 1 }),
  event("message_delta", {
    delta: { stop_reason: "tool_use", stop_sequence: null },
    usage: { output_tokens: 89 },
  }),
].join("");
const messageStop = event("message_stop");
const anthropicInput = {
  inputTokens: 472,
  cacheReadTokens: 100,
  cacheWriteTokens: 10,
  cacheWrite1hTokens: 20,
};

type Reading = { forwarded: string; held: string; outcome: StreamOutcome; text: string };

function read(
  dialect: Dialect,
  stream: Buffer | string,
  cuts: readonly number[],
  stripUsage = true,
): Reading {
  const bytes = Buffer.from(stream);
  const reader = createStreamReader(dialect, { stripUsage });
  const forwarded: Buffer[] = [];
  const bounds = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < bounds.length; i++) {
    const passed = reader.push(Buffer.from(bytes.subarray(bounds[i - 1], bounds[i])));
    if (passed !== undefined) forwarded.push(passed);
  }
  const { held, outcome } = reader.end();
  const text = reader.content().pieces.join("");
  return { forwarded: Buffer.concat(forwarded).toString(), held: held.toString(), outcome, text };
}

const openaiOutcome: StreamOutcome = {
  usage: { kind: "reported", usage: openaiUsed },
  ended: true,
  error: undefined,
  finish: "stop",
  upstreamId: "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
};
const anthropicOutcome: StreamOutcome = {
  usage: { kind: "reported", usage: used({ ...anthropicInput, outputTokens: 89 }) },
  ended: true,
  error: undefined,
  finish: "tool_use",
  upstreamId: "msg_01XFDUDYJgAACzvnptvVoYEL",
};
const openaiSaid = 'Grüß "usage":{"x":1} dich 🐘data: [DONE] is not the end\n';
const anthropicSaid = 'Hmm – say{"error":"message_stop"';
const crlf = (text: string) => text.replaceAll("\n", "\r\n");

// biome-ignore format: a table is read by column
const whole: [name: string, dialect: Dialect, stream: string, want: Reading, stripUsage?: boolean][] = [
  ["withholds the usage chunk that only the gateway asked for", "openai", openaiText + usageChunk + done,
    { forwarded: openaiText, held: done, outcome: openaiOutcome, text: openaiSaid }],
  ["leaves the usage chunk to the client that asked for it", "openai", openaiText + usageChunk + done,
    { forwarded: openaiText + usageChunk, held: done, outcome: openaiOutcome, text: openaiSaid }, false],
  ["reads lines that end in CRLF", "openai", crlf(openaiText + usageChunk + done),
    { forwarded: crlf(openaiText), held: crlf(done), outcome: openaiOutcome, text: openaiSaid }],
  ["reads lines that end in CR", "openai", (openaiText + usageChunk + done).replaceAll("\n", "\r"),
    { forwarded: openaiText.replaceAll("\n", "\r"), held: done.replaceAll("\n", "\r"), outcome: openaiOutcome, text: openaiSaid }],
  ["skips a byte order mark", "openai", `\ufeff${openaiText}${usageChunk}${done}`,
    { forwarded: `\ufeff${openaiText}`, held: done, outcome: openaiOutcome, text: openaiSaid }],
  ["takes an end marker without a space or an empty line", "openai", `${openaiText}${usageChunk}data:[DONE]`,
    { forwarded: openaiText, held: "data:[DONE]", outcome: openaiOutcome, text: openaiSaid }],
  ["reads an Anthropic stream and keeps its last event back", "anthropic", anthropicText + anthropicEnd + messageStop,
    { forwarded: anthropicText + anthropicEnd, held: messageStop, outcome: anthropicOutcome, text: anthropicSaid }],
];

for (const [name, dialect, stream, want, stripUsage] of whole) {
  test(`${name}, however the network cuts it`, () => {
    const length = Buffer.byteLength(stream);
    assert.deepEqual(read(dialect, stream, [], stripUsage), want);
    const everyByte = Array.from({ length: length - 1 }, (_, at) => at + 1);
    assert.deepEqual(read(dialect, stream, everyByte, stripUsage), want);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: length }), { maxLength: 40 }), (cuts) => {
        assert.deepEqual(read(dialect, stream, cuts, stripUsage), want);
      }),
    );
  });
}

test("what reaches the client is, byte for byte, what upstream sent less the usage chunk", () => {
  const text = fc.string({ unit: "binary", maxLength: 30 });
  const events = fc.array(
    fc.oneof(
      text.map((it) => chunk({ content: it })),
      fc.constant(": ping\n\n"),
      fc.constant("\n"),
    ),
  );
  fc.assert(
    fc.property(
      events,
      events,
      fc.array(fc.nat()),
      fc.boolean(),
      (before, after, marks, stripUsage) => {
        const stream = [...before, usageChunk, ...after, done].join("");
        const length = Buffer.byteLength(stream);
        const got = read(
          "openai",
          stream,
          marks.map((it) => it % length),
          stripUsage,
        );
        const want = [...before, ...(stripUsage ? [] : [usageChunk]), ...after, done].join("");
        assert.equal(got.forwarded + got.held, want);
        assert.deepEqual(got.outcome.usage, openaiOutcome.usage);
      },
    ),
  );
});

// biome-ignore format: a table is read by column
const broken: [name: string, dialect: Dialect, stream: string, want: Partial<StreamOutcome>][] = [
  ["a stream cut before its first byte says nothing", "openai", "",
    { usage: { kind: "missing" }, ended: false, finish: undefined, upstreamId: undefined }],
  ["a stream cut before the usage chunk has no usage", "openai", openaiText,
    { usage: { kind: "missing" }, ended: false, finish: "stop", upstreamId: openaiOutcome.upstreamId }],
  ["a stream that ends without a usage chunk has no usage", "openai", openaiText + done,
    { usage: { kind: "missing" }, ended: true, finish: "stop" }],
  ["a stream cut behind the usage chunk has its usage", "openai", openaiText + usageChunk,
    { ...openaiOutcome, ended: false }],
  ["an explicit zero is a usage", "openai", chunk({}, { choices: [], usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } }) + done,
    { usage: { kind: "reported", usage: used({}) } }],
  ["a usage that cannot be true is malformed", "openai", chunk({}, { choices: [], usage: { prompt_tokens: -3, completion_tokens: 0 } }) + done,
    { usage: { kind: "malformed", why: "prompt_tokens is not a count" } }],
  ["a count on the way is partial when the stream breaks", "openai", chunk({ content: "a" }, { usage: { prompt_tokens: 5, completion_tokens: 1 } }),
    { usage: { kind: "partial", usage: used({ inputTokens: 5, outputTokens: 1 }) }, ended: false }],
  ["the last of several counts holds", "openai", chunk({ content: "a" }, { usage: { prompt_tokens: 5, completion_tokens: 1 } }) + chunk({ content: "b" }, { usage: { prompt_tokens: 5, completion_tokens: 2 } }) + done,
    { usage: { kind: "reported", usage: used({ inputTokens: 5, outputTokens: 2 }) }, ended: true }],
  ["a usage in the chunk of the finish is final and stays with the client", "openai", chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: "length" }], usage: openaiUsage }),
    { usage: { kind: "reported", usage: openaiUsed }, finish: "length" }],
  ["Groq's usage is found where Groq puts it", "openai", chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: "stop" }], x_groq: { id: "req_1", usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } } }) + done,
    { usage: { kind: "reported", usage: used({ inputTokens: 7, outputTokens: 3 }) } }],
  ["an Anthropic stream that breaks has its prompt counted", "anthropic", anthropicText,
    { usage: { kind: "partial", usage: used({ ...anthropicInput, outputTokens: 2 }) }, ended: false, finish: undefined }],
  ["a message_delta may restate the prompt", "anthropic", anthropicStart + event("message_delta", { delta: { stop_reason: "end_turn" }, usage: { input_tokens: 500, cache_read_input_tokens: 0, output_tokens: 12 } }) + messageStop,
    { usage: { kind: "reported", usage: used({ ...anthropicInput, inputTokens: 500, cacheReadTokens: 0, outputTokens: 12 }) }, finish: "end_turn" }],
];

for (const [name, dialect, stream, want] of broken) {
  test(name, () => {
    const { outcome, forwarded, held } = read(dialect, stream, []);
    const picked = Object.fromEntries(
      Object.keys(want).map((key) => [key, outcome[key as keyof StreamOutcome]]),
    );
    assert.deepEqual(picked, want);
    if (dialect === "anthropic") assert.equal(forwarded + held, stream);
  });
}

test("an error after the 200 is kept back, reported, and is no output", () => {
  const failure = `data: ${JSON.stringify({ error: { message: "The server had an error", type: "server_error", code: null } })}\n\n`;
  const started = chunk({ content: "Hel" });
  const got = read("openai", started + failure, []);
  assert.deepEqual(got.outcome.error, { type: "server_error", message: "The server had an error" });
  assert.deepEqual([got.forwarded, got.held, got.text], [started, failure, "Hel"]);
  assert.equal(got.outcome.usage.kind, "missing");
});

test("Anthropic's error event is kept back and reported", () => {
  const failure = event("error", { error: { type: "overloaded_error", message: "Overloaded" } });
  const got = read("anthropic", anthropicText + failure, []);
  assert.deepEqual(got.outcome.error, { type: "overloaded_error", message: "Overloaded" });
  assert.deepEqual(
    [got.forwarded, got.held, got.outcome.usage.kind],
    [anthropicText, failure, "partial"],
  );
});

test("OpenRouter's usage behind an error is still read, and still withheld", () => {
  const failure = chunk(
    { content: "" },
    {
      error: { code: 502, message: "Upstream" },
      choices: [{ index: 0, delta: {}, finish_reason: "error" }],
    },
  );
  const got = read("openai", chunk({ content: "a" }) + failure + usageChunk + done, []);
  assert.equal(got.held, failure + done);
  assert.deepEqual(
    [got.outcome.usage, got.outcome.ended, got.outcome.error?.message],
    [openaiOutcome.usage, true, "Upstream"],
  );
});

test("an event too large to keep passes through unread, and reading goes on behind it", () => {
  const huge = chunk({ content: "x".repeat(3 << 20) });
  const cuts = Array.from({ length: 40 }, (_, at) => at * 80_000);
  const got = read("openai", openaiText + huge + usageChunk + done, cuts);
  assert.ok(got.forwarded === openaiText + huge);
  assert.equal(got.held, done);
  assert.deepEqual(got.outcome.usage, openaiOutcome.usage);
});

test("a reader that is asked on the way counts text, tool calls and reasoning, each byte once", () => {
  const reader = createStreamReader("openai", { stripUsage: true });
  const stream = [
    chunk({ reasoning_content: "abcd" }),
    chunk({ content: "efgh" }),
    chunk({ tool_calls: [{ index: 0, function: { name: "ij", arguments: '{"' } }] }),
  ];
  const counts = stream.map((it) => {
    reader.push(Buffer.from(it));
    return reader.outputTokensSoFar();
  });
  assert.deepEqual(counts, [1, 2, 3]);
  assert.equal(reader.content().pieces.join(""), 'abcdefghij{"');
  assert.equal(reader.forwardedBytes, Buffer.byteLength(stream.join("")));
});

test("a long answer is counted to the end and kept to a bound", () => {
  const reader = createStreamReader("openai", { stripUsage: true });
  const piece = "word ".repeat(200);
  for (let i = 0; i < 400; i++) reader.push(Buffer.from(chunk({ content: piece })));
  const content = reader.content();
  assert.equal(content.textBytes, 400_000);
  assert.equal(content.pieces.join("").length, contentCharsMax);
});

test("what is open when a stream is cut is known, in both dialects", () => {
  const anthropic = createStreamReader("anthropic", { stripUsage: false });
  anthropic.push(Buffer.from(anthropicText));
  assert.deepEqual([...anthropic.content().open], [1]);
  const openai = createStreamReader("openai", { stripUsage: false });
  const choice = (index: number, finish: string | null) =>
    chunk({}, { choices: [{ index, delta: {}, finish_reason: finish }] });
  openai.push(Buffer.from(choice(0, null) + choice(1, null) + choice(0, "stop")));
  assert.deepEqual([...openai.content().open], [1]);
});

test("no bytes whatever make the reader throw or lose one", () => {
  const line = fc.oneof(
    fc.constantFrom(
      "data: ",
      "data:",
      "event: error",
      '{"usage":{',
      '"error":',
      "[DONE]",
      "\n",
      "\r",
      "\r\n",
      "\n\n",
      "message_stop",
      "}",
    ),
    fc.string({ maxLength: 6 }),
  );
  fc.assert(
    fc.property(
      fc.array(line),
      fc.array(fc.nat()),
      fc.constantFrom<Dialect>("openai", "anthropic"),
      (lines, marks, dialect) => {
        const stream = lines.join("");
        const length = Buffer.byteLength(stream);
        const got = read(
          dialect,
          stream,
          marks.map((it) => it % (length + 1)),
          false,
        );
        assert.equal(got.forwarded + got.held, stream);
      },
    ),
  );
});

test("what follows the end marker waits behind it", () => {
  const late = chunk({ content: "late" });
  const stream = openaiText + usageChunk + done + late;
  const beforeLate = Buffer.byteLength(stream) - Buffer.byteLength(late);
  const got = read("openai", stream, [beforeLate]);
  assert.deepEqual([got.forwarded, got.held], [openaiText, done + late]);
});

test("the LF of a CRLF that ends the withheld chunk is withheld with it", () => {
  const stream = crlf(usageChunk + openaiText + done);
  const cut = Buffer.byteLength(crlf(usageChunk)) - 1;
  const next =
    cut + 1 + Buffer.byteLength(crlf(chunk({ role: "assistant", content: "", refusal: null })));
  assert.equal(read("openai", stream, [cut, next]).forwarded, crlf(openaiText));
});
