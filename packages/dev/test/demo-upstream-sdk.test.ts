import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { type DemoUpstream, startDemoUpstream } from "../src/upstream/demo-upstream.ts";

let upstream: DemoUpstream;
let openai: OpenAI;
let anthropic: Anthropic;
before(async () => {
  upstream = await startDemoUpstream();
  openai = new OpenAI({ baseURL: `${upstream.url}/v1`, apiKey: "sk-demo", maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: upstream.url, apiKey: "sk-demo", maxRetries: 0 });
});
after(() => upstream.close());

const scenario = (words: string) => ({ headers: { "x-demo-scenario": words } });
const messages = [{ role: "user" as const, content: "hello" }];

test("the OpenAI client reads a plain answer", async () => {
  const answer = await openai.chat.completions.create(
    { model: "gpt-4o-mini", messages },
    scenario("output=3,cached"),
  );
  assert.equal(answer.choices[0]?.message.content, " one day the");
  assert.equal(answer.model, "gpt-4o-mini");
  assert.equal(answer.usage?.completion_tokens, 3);
});

test("the OpenAI client reads a stream with its usage", async () => {
  const stream = openai.chat.completions.stream(
    { model: "gpt-4o-mini", messages, n: 2, stream_options: { include_usage: true } },
    scenario("output=3,reasoning=5"),
  );
  const answer = await stream.finalChatCompletion();
  assert.deepEqual(
    answer.choices.map(({ message, finish_reason }) => [message.content, finish_reason]),
    [
      [" one day the", "stop"],
      [" one day the", "stop"],
    ],
  );
  assert.equal(answer.usage?.completion_tokens, 16);
  assert.equal(answer.usage?.completion_tokens_details?.reasoning_tokens, 10);
});

test("the OpenAI client is not sent usage that it did not ask for", async () => {
  const stream = await openai.chat.completions.create({ model: "m", messages, stream: true });
  for await (const chunk of stream) assert.equal("usage" in chunk, false);
});

test("the Anthropic client reads a plain answer", async () => {
  const answer = await anthropic.messages.create(
    { model: "claude-sonnet-4-5", max_tokens: 100, messages },
    scenario("output=3,reasoning=5,cached"),
  );
  assert.deepEqual(
    answer.content.map(({ type }) => type),
    ["thinking", "text"],
  );
  assert.equal(answer.usage.output_tokens, 8);
  assert.equal(answer.stop_reason, "end_turn");
});

test("the Anthropic client reads a stream, its usage cumulative at the end", async () => {
  const stream = anthropic.messages.stream(
    { model: "claude-sonnet-4-5", max_tokens: 100, messages },
    scenario("output=3,cached,cache-write"),
  );
  const answer = await stream.finalMessage();
  assert.deepEqual(answer.content, [{ type: "text", text: " one day the" }]);
  assert.equal(answer.usage.output_tokens, 3);
  const { cache_read_input_tokens: read, cache_creation_input_tokens: written } = answer.usage;
  assert.ok((read ?? 0) > 0 && (written ?? 0) > 0);
});

test("both clients turn the upstream's errors into their own", async () => {
  await assert.rejects(
    openai.chat.completions.create({ model: "m", messages }, scenario("429")),
    OpenAI.RateLimitError,
  );
  await assert.rejects(
    anthropic.messages.create({ model: "m", max_tokens: 9, messages }, scenario("529")),
    (error) => error instanceof Anthropic.APIError && error.type === "overloaded_error",
  );
  await assert.rejects(
    anthropic.messages
      .stream({ model: "m", max_tokens: 9, messages }, scenario("error-200"))
      .finalMessage(),
    (error) => error instanceof Anthropic.APIError,
  );
  const broken = await openai.chat.completions.create(
    { model: "m", messages, stream: true },
    scenario("error-200"),
  );
  await assert.rejects(async () => {
    for await (const _ of broken);
  }, OpenAI.APIError);
});

test("both clients list models", async () => {
  const ids = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  for await (const model of anthropic.models.list()) ids.push(model.id);
  assert.deepEqual(ids, [
    "gpt-4o-mini",
    "gpt-4o",
    "gpt-5-mini",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
  ]);
  assert.equal((await openai.models.retrieve("gpt-4o")).id, "gpt-4o");
});
