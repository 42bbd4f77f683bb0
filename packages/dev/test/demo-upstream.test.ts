import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import type { Attempt, Totals } from "../src/upstream/attempt-log.ts";
import { type DemoUpstream, startDemoUpstream } from "../src/upstream/demo-upstream.ts";

const folder = mkdtempSync("/tmp/farebox-upstream-");
const logFile = join(folder, "attempts.jsonl");
let upstream: DemoUpstream;
before(async () => {
  upstream = await startDemoUpstream({ logFile });
});
after(async () => {
  await upstream.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await request(`${upstream.url}/__log`, { method: "DELETE" });
  await request(`${upstream.url}/__scenario`, { method: "DELETE" });
});

type Dialect = "openai" | "anthropic";
type Got = {
  readonly status: number;
  readonly type: string;
  readonly retryAfter: string | undefined;
  readonly text: string;
  readonly isCut: boolean;
};

const paths = { openai: "/v1/chat/completions", anthropic: "/v1/messages" };

/** Makes one call and reads as much of its answer as comes. */
async function call(
  dialect: Dialect,
  body: object,
  headers: Record<string, string> = {},
): Promise<Got> {
  let text = "";
  try {
    const res = await request(upstream.url + paths[dialect], {
      method: "POST",
      headers: { authorization: "Bearer sk-demo", ...headers },
      body: JSON.stringify({
        max_tokens: 1_000,
        messages: [{ role: "user", content: "hello" }],
        ...body,
      }),
    });
    const { statusCode: status } = res;
    const type = String(res.headers["content-type"]);
    const retryAfter = res.headers["retry-after"]?.toString();
    try {
      for await (const part of res.body) text += part;
      return { status, type, retryAfter, text, isCut: false };
    } catch {
      return { status, type, retryAfter, text, isCut: true };
    }
  } catch {
    return { status: 0, type: "", retryAfter: undefined, text, isCut: true };
  }
}

/** Reads one of the upstream's own endpoints; the caller says what that endpoint answers. */
async function read<T>(path: string): Promise<T> {
  const res = await request(upstream.url + path);
  return (await res.body.json()) as T;
}

async function log(): Promise<Attempt[]> {
  return (await read<{ attempts: Attempt[] }>("/__log")).attempts;
}

/** The only attempt since the last reset, once it is there: an aborted one is logged when its socket has closed. */
async function onlyAttempt(): Promise<Attempt> {
  for (let turn = 0; turn < 500; turn++) {
    const [attempt, ...more] = await log();
    assert.equal(more.length, 0);
    if (attempt !== undefined) return attempt;
    await sleep(10);
  }
  throw new Error("no attempt was logged");
}

const deltas = { openai: /"content":" /g, anthropic: /text_delta/g };
const usageOf = { openai: /"usage":\{"prompt/, anthropic: /"type":"message_delta".*"usage":\{/ };
const end = { openai: /data: \[DONE\]\n\n$/, anthropic: /"message_stop"\}\n\n$/ };

// biome-ignore format: a decision table is read by column
const streams: [scenario: string, want: { chunks: number; usage: boolean; end: boolean; cut: boolean; outcome: string; sent: [openai: string, anthropic: string] }][] = [
  ["ok",                    { chunks: 24, usage: true,  end: true,  cut: false, outcome: "answered",  sent: ["full", "full"] }],
  ["chunks=5",              { chunks: 5,  usage: true,  end: true,  cut: false, outcome: "answered",  sent: ["full", "full"] }],
  ["burst",                 { chunks: 24, usage: true,  end: true,  cut: false, outcome: "answered",  sent: ["full", "full"] }],
  ["slow=5,gap=1,output=3", { chunks: 3,  usage: true,  end: true,  cut: false, outcome: "answered",  sent: ["full", "full"] }],
  ["huge",                  { chunks: 250, usage: true, end: true,  cut: false, outcome: "answered",  sent: ["full", "full"] }],
  ["no-usage",              { chunks: 24, usage: false, end: true,  cut: false, outcome: "answered",  sent: ["none", "none"] }],
  ["cut-before-usage",      { chunks: 24, usage: false, end: false, cut: true,  outcome: "cut",       sent: ["none", "partial"] }],
  ["cut-before-usage=4",    { chunks: 4,  usage: false, end: false, cut: true,  outcome: "cut",       sent: ["none", "partial"] }],
  ["cut-after-usage",       { chunks: 24, usage: true,  end: false, cut: true,  outcome: "cut",       sent: ["full", "full"] }],
  ["error-200=2",           { chunks: 2,  usage: false, end: false, cut: false, outcome: "failed",    sent: ["none", "partial"] }],
  ["truncated-json",        { chunks: 24, usage: false, end: false, cut: false, outcome: "truncated", sent: ["none", "partial"] }],
];

for (const [scenario, want] of streams) {
  for (const dialect of ["openai", "anthropic"] as const) {
    test(`${dialect} stream: ${scenario}`, async () => {
      const got = await call(
        dialect,
        { model: "demo", stream: true, stream_options: { include_usage: true } },
        { "x-demo-scenario": scenario },
      );
      assert.equal(got.status, 200);
      assert.match(got.type, /^text\/event-stream/);
      const seen = {
        chunks: got.text.match(deltas[dialect])?.length ?? 0,
        usage: usageOf[dialect].test(got.text) && !/truncated/.test(scenario),
        end: end[dialect].test(got.text),
        cut: got.isCut,
      };
      const { chunks, usage, end: isEnded, cut } = want;
      assert.deepEqual(seen, { chunks, usage, end: isEnded, cut });
      const attempt = await onlyAttempt();
      assert.deepEqual(
        [
          attempt.outcome,
          attempt.usageSent,
          attempt.chunks,
          attempt.isStream,
          attempt.clientAborted,
        ],
        [want.outcome, want.sent[dialect === "openai" ? 0 : 1], want.chunks, true, false],
      );
      assert.equal(attempt.bytes, Buffer.byteLength(got.text));
      assert.equal(attempt.scenario, scenario);
    });
  }
}

// biome-ignore format: a decision table is read by column
const plains: [scenario: string, want: { status: number; cut?: boolean; type?: string; outcome: string; sent: string; text?: RegExp; retryAfter?: string }][] = [
  ["ok",                    { status: 200, outcome: "answered",  sent: "full" }],
  ["slow=5",                { status: 200, outcome: "answered",  sent: "full" }],
  ["no-usage",              { status: 200, outcome: "answered",  sent: "none", text: /^((?!usage).)*$/s }],
  ["zero-usage",            { status: 200, outcome: "answered",  sent: "full", text: /"(completion|output)_tokens":0/ }],
  ["absurd-usage=77",       { status: 200, outcome: "answered",  sent: "full", text: /"(completion|output)_tokens":77/ }],
  ["wrong-content-type",    { status: 200, outcome: "answered",  sent: "full", type: "text/plain" }],
  ["error-200",             { status: 200, outcome: "failed",    sent: "none", text: /"error":\{/ }],
  ["truncated-json",        { status: 200, outcome: "truncated", sent: "none", text: /[^}]$/ }],
  ["cut-before-usage",      { status: 200, outcome: "cut",       sent: "none", cut: true }],
  ["cut-after-usage",       { status: 200, outcome: "cut",       sent: "none", cut: true, text: /[^}]\}$|\}\}$/ }],
  ["cut-before-first-byte", { status: 0,   outcome: "cut",       sent: "none", cut: true, type: "" }],
  ["429=7",                 { status: 429, outcome: "refused",   sent: "none", text: /"error":\{/, retryAfter: "7" }],
  ["500",                   { status: 500, outcome: "refused",   sent: "none", text: /"error":\{/ }],
  ["529",                   { status: 529, outcome: "refused",   sent: "none", text: /"error":\{/ }],
];

for (const [scenario, want] of plains) {
  for (const dialect of ["openai", "anthropic"] as const) {
    test(`${dialect} plain: ${scenario}`, async () => {
      const got = await call(dialect, { model: "demo" }, { "x-demo-scenario": scenario });
      assert.deepEqual(
        [got.status, got.isCut, got.type, got.retryAfter],
        [want.status, want.cut ?? false, want.type ?? "application/json", want.retryAfter],
      );
      if (want.text !== undefined) assert.match(got.text, want.text);
      if (want.outcome === "answered") JSON.parse(got.text);
      const attempt = await onlyAttempt();
      assert.deepEqual(
        [attempt.outcome, attempt.usageSent, attempt.status],
        [want.outcome, want.sent, want.status],
      );
    });
  }
}

test("cache and reasoning tokens are nested in one dialect and apart in the other, and the log has them disjoint", async () => {
  const scenario = "input=1000,cached=50,cache-write=20,cache-write-1h=10,reasoning=40,output=60";
  const headers = { "x-demo-scenario": scenario };
  const openai = JSON.parse((await call("openai", { model: "gpt", n: 2 }, headers)).text);
  const anthropic = JSON.parse((await call("anthropic", { model: "claude" }, headers)).text);
  assert.equal(openai.model, "gpt");
  assert.deepEqual(openai.usage, {
    prompt_tokens: 1_000,
    completion_tokens: 200,
    total_tokens: 1_200,
    prompt_tokens_details: { cached_tokens: 500, audio_tokens: 0, cache_write_tokens: 300 },
    completion_tokens_details: {
      reasoning_tokens: 80,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  });
  assert.deepEqual(anthropic.usage, {
    input_tokens: 200,
    cache_creation_input_tokens: 300,
    cache_read_input_tokens: 500,
    cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 100 },
    output_tokens: 100,
    output_tokens_details: { thinking_tokens: 40 },
    service_tier: "standard",
  });
  const prompt = {
    inputTokens: 200,
    cacheReadTokens: 500,
    cacheWriteTokens: 200,
    cacheWrite1hTokens: 100,
  };
  assert.deepEqual(
    (await log()).map(({ usage, id }) => ({ usage, id })),
    [
      { usage: { ...prompt, outputTokens: 120, reasoningTokens: 80 }, id: openai.id },
      { usage: { ...prompt, outputTokens: 60, reasoningTokens: 40 }, id: anthropic.id },
    ],
  );
});

test("limits and stop sequences end an answer as providers end it", async () => {
  const ask = async (dialect: Dialect, body: object) =>
    JSON.parse((await call(dialect, { model: "m", ...body })).text);
  const long = await ask("openai", { max_tokens: 5 });
  assert.deepEqual(
    [long.choices[0].finish_reason, long.choices[0].message.content, long.usage.completion_tokens],
    ["length", " one day the old man", 5],
  );
  const limited = await ask("openai", { max_completion_tokens: 4, max_tokens: 9 });
  assert.equal(limited.usage.completion_tokens, 4);
  const stopped = await ask("openai", { stop: [" man"] });
  assert.deepEqual(
    [stopped.choices[0].finish_reason, stopped.choices[0].message.content],
    ["stop", " one day the old"],
  );
  const claude = await ask("anthropic", { max_tokens: 2 });
  assert.deepEqual([claude.stop_reason, claude.usage.output_tokens], ["max_tokens", 2]);
  const sequence = await ask("anthropic", { stop_sequences: [" old"] });
  assert.deepEqual([sequence.stop_reason, sequence.stop_sequence], ["stop_sequence", " old"]);
});

test("a model is answered by its whole name, whatever is in it", async () => {
  const answer = await call("openai", { model: "maker/model:free" });
  assert.deepEqual([answer.status, JSON.parse(answer.text).model], [200, "maker/model:free"]);
});

test("a standing scenario serves as many calls as it was set for; a call's own goes first", async () => {
  const set = (body: object) =>
    request(`${upstream.url}/__scenario`, { method: "POST", body: JSON.stringify(body) });
  await set({ scenario: "500", times: 2 });
  const statuses = [];
  for (const own of ["429", undefined, undefined, undefined]) {
    const headers = own === undefined ? {} : { "x-demo-scenario": own };
    statuses.push((await call("openai", { model: "m" }, headers)).status);
  }
  assert.deepEqual(statuses, [429, 500, 500, 200]);
  const metadata = { demo_scenario: "503" };
  assert.equal((await call("openai", { model: "m", metadata })).status, 503);
  assert.equal((await set({ scenario: "no-such-word" })).statusCode, 400);
  assert.equal((await set({ scenario: "500", times: -1 })).statusCode, 400);
});

test("a client that leaves is seen, and what it was sent is counted", async () => {
  const leaving = new AbortController();
  const res = await request(`${upstream.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer sk-demo", "x-demo-scenario": "gap=20,output=500" },
    body: JSON.stringify({ model: "m", stream: true, messages: [{}] }),
    signal: leaving.signal,
  });
  await assert.rejects(async () => {
    for await (const _ of res.body) leaving.abort();
  });
  const attempt = await onlyAttempt();
  assert.deepEqual(
    [attempt.clientAborted, attempt.usageSent, attempt.outcome],
    [true, "none", "answered"],
  );
  assert.ok(attempt.chunks < 500);

  await request(`${upstream.url}/__log`, { method: "DELETE" });
  const impatient = request(`${upstream.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer sk-demo", "x-demo-scenario": "hang" },
    body: JSON.stringify({ model: "m", messages: [{}] }),
    signal: AbortSignal.timeout(50),
  });
  await assert.rejects(impatient);
  const hung = await onlyAttempt();
  assert.deepEqual([hung.clientAborted, hung.outcome, hung.bytes], [true, "hung", 0]);
});

test("totals, the log and its file tell the same, also after the ring was asked in parts", async () => {
  await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      call(
        i % 2 === 0 ? "openai" : "anthropic",
        { model: `m${i % 3}`, stream: i % 5 === 0, stream_options: { include_usage: true } },
        { "x-demo-scenario": `input=${i},output=${i},${i % 4 === 0 ? "no-usage" : "ok"}` },
      ),
    ),
  );
  const attempts = await log();
  const totals = await read<Totals>("/__totals");
  assert.equal(totals.calls, 40);
  assert.deepEqual(totals, upstream.totals());
  const sum = (kind: (attempt: Attempt) => boolean) =>
    attempts.filter(kind).reduce((n, { usage }) => n + usage.inputTokens + usage.outputTokens, 0);
  assert.equal(
    totals.usage.inputTokens + totals.usage.outputTokens,
    sum((a) => a.usageSent === "full"),
  );
  assert.equal(
    totals.usageUnsent.inputTokens + totals.usageUnsent.outputTokens,
    sum((a) => a.usageSent !== "full"),
  );
  assert.equal(
    Object.values(totals.models).reduce((n, { calls }) => n + calls, 0),
    40,
  );
  const { attempts: five, dropped } = await read<{ attempts: Attempt[]; dropped: number }>(
    "/__log?since=10&limit=5",
  );
  assert.deepEqual([five.map(({ seq }) => seq), dropped], [[11, 12, 13, 14, 15], 0]);
  for (
    let turn = 0;
    turn < 100 && !readFileSync(logFile, "utf8").includes(attempts.at(-1)?.id ?? "-");
    turn++
  ) {
    await sleep(10);
  }
  const written = readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-40);
  assert.deepEqual(
    written.map((line) => JSON.parse(line)),
    attempts,
  );
  assert.doesNotMatch(readFileSync(logFile, "utf8"), /sk-demo|hello/);
});

// biome-ignore format: a decision table is read by column
const malformed: [name: string, body: string, headers: Record<string, string>, want: [status: number, message: RegExp]][] = [
  ["no JSON",             "{",                                      { authorization: "x" }, [400, /parse the JSON/]],
  ["no object",           "[]",                                     { authorization: "x" }, [400, /parse the JSON/]],
  ["no model",            `{"messages":[{}]}`,                      { authorization: "x" }, [400, /model/]],
  ["no messages",         `{"model":"m","messages":[]}`,            { authorization: "x" }, [400, /messages/]],
  ["an unknown scenario", `{"model":"m","messages":[{}]}`,          { authorization: "x", "x-demo-scenario": "odd" }, [400, /unknown demo scenario: odd/]],
  ["too many choices",    `{"model":"m","n":129,"messages":[{}]}`,  { authorization: "x" }, [400, /n must be/]],
];

for (const [name, body, headers, [status, message]] of malformed) {
  test(`refuses a call with ${name}, and logs no attempt`, async () => {
    const res = await request(`${upstream.url}/v1/messages`, { method: "POST", headers, body });
    assert.equal(res.statusCode, status);
    assert.match(await res.body.text(), message);
    assert.deepEqual(await log(), []);
  });
}
