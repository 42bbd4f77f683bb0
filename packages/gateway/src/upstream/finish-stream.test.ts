import assert from "node:assert/strict";
import { test } from "node:test";
import { noUsage } from "@farebox/pricing/usage";
import { createStreamReader } from "../domain/stream-reader.ts";
import { finishStream, type StreamCut } from "./finish-stream.ts";

const cut: Omit<StreamCut, "content"> = {
  model: "asked-for",
  reason: "INSUFFICIENT_BALANCE",
  inputTokens: 12,
  outputTokens: 34,
  includeUsage: false,
  nowSec: 1_800_000_000,
};

function events(bytes: Buffer): string[] {
  return bytes.toString().split("\n\n").slice(0, -1);
}

test("ends every open choice of an OpenAI stream as if the model had met its limit", () => {
  const reader = createStreamReader("openai", { stripUsage: true });
  const delta = (index: number, finish: string | null) => ({
    index,
    delta: { content: "a" },
    finish_reason: finish,
  });
  const chunk = {
    id: "chatcmpl-1",
    created: 17,
    model: "gpt-4o-2024-08-06",
    choices: [delta(0, null), delta(1, "stop"), delta(2, null)],
  };
  reader.push(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`));
  const [finish, done, ...rest] = events(
    finishStream("openai", { ...cut, content: reader.content() }),
  );
  assert.deepEqual(JSON.parse(finish?.slice(6) ?? ""), {
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 17,
    model: "gpt-4o-2024-08-06",
    choices: [
      { index: 0, delta: {}, logprobs: null, finish_reason: "length" },
      { index: 2, delta: {}, logprobs: null, finish_reason: "length" },
    ],
    farebox: { reason: "INSUFFICIENT_BALANCE" },
  });
  assert.deepEqual([done, rest], ["data: [DONE]", []]);
});

test("gives the usage to a client that asked for it, and reads as a whole stream", () => {
  const reader = createStreamReader("openai", { stripUsage: false });
  reader.push(finishStream("openai", { ...cut, includeUsage: true, content: reader.content() }));
  assert.deepEqual(reader.end().outcome, {
    usage: {
      kind: "reported",
      usage: { ...noUsage, requests: 1, inputTokens: 12, outputTokens: 34 },
    },
    ended: true,
    error: undefined,
    finish: "length",
    upstreamId: "chatcmpl-farebox",
  });
});

test("closes the open block of an Anthropic stream, then the message", () => {
  const reader = createStreamReader("anthropic", { stripUsage: false });
  const start = {
    type: "message_start",
    message: { id: "msg_1", model: "claude", usage: { input_tokens: 12, output_tokens: 1 } },
  };
  const block = {
    type: "content_block_start",
    index: 3,
    content_block: { type: "text", text: "" },
  };
  for (const it of [start, block])
    reader.push(Buffer.from(`event: ${it.type}\ndata: ${JSON.stringify(it)}\n\n`));
  const bytes = finishStream("anthropic", { ...cut, content: reader.content() });
  assert.deepEqual(events(bytes), [
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":3}',
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":34},"farebox":{"reason":"INSUFFICIENT_BALANCE"}}',
    'event: message_stop\ndata: {"type":"message_stop"}',
  ]);
  reader.push(bytes);
  assert.deepEqual(reader.end().outcome, {
    usage: {
      kind: "reported",
      usage: { ...noUsage, requests: 1, inputTokens: 12, outputTokens: 34 },
    },
    ended: true,
    error: undefined,
    finish: "max_tokens",
    upstreamId: "msg_1",
  });
});

test("an OpenAI stream that had said nothing says who would have spoken", () => {
  const content = createStreamReader("openai", { stripUsage: false }).content();
  const [finish] = events(finishStream("openai", { ...cut, content }));
  const { id, model, created, choices } = JSON.parse(finish?.slice(6) ?? "");
  assert.deepEqual([id, model, created], ["chatcmpl-farebox", "asked-for", 1_800_000_000]);
  assert.deepEqual(choices, [
    {
      index: 0,
      delta: { role: "assistant", content: "" },
      logprobs: null,
      finish_reason: "length",
    },
  ]);
});

test("a stream that had said nothing is begun before it is ended", () => {
  const reader = createStreamReader("anthropic", { stripUsage: false });
  const types = events(finishStream("anthropic", { ...cut, content: reader.content() })).map(
    (it) => it.split("\n")[0],
  );
  assert.deepEqual(types, ["event: message_start", "event: message_delta", "event: message_stop"]);
});
