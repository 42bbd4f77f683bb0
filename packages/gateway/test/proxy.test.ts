import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientRequest, request as httpRequest } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import type { Dialect } from "../src/domain/call.ts";
import { FakeBilling } from "../testing/fake-billing.ts";
import { journalDirectory } from "../testing/journal.ts";
import { openTestBilling } from "../testing/open-test-billing.ts";
import { call, callBody } from "./support/call.ts";
import { type ProxyUnderTest, startProxy } from "./support/proxy-under-test.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "./support/scripted-upstream.ts";
import { plainBody, promptTokens, sendEvents, sendPlain, streamEvents } from "./support/scripts.ts";

const dialects = ["openai", "anthropic"] as const;
const dollar = 1_000_000_000n;

let upstream: ScriptedUpstream;
let proxy: ProxyUnderTest;
before(async () => {
  upstream = await startScriptedUpstream();
  proxy = await startProxy(upstream, { rename: { "client-name": "gpt-4o-test" } });
});
beforeEach(() => {
  proxy.availableNanos = dollar;
  proxy.journal = () => Promise.resolve();
});
after(async () => {
  await proxy[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const lastSeen = () => upstream.seen.at(-1) ?? assert.fail("the upstream saw nothing");
const lastSettled = () => proxy.settled.at(-1) ?? assert.fail("nothing was settled");
const errorOf = (text: string) => JSON.parse(text).error;

test("a body goes upstream byte for byte, whatever Farebox does not know of it", async () => {
  upstream.script = sendPlain(plainBody("openai"));
  const body = `{ "model":"gpt-4o-test", "x_new": {"a":[1e3, 12345678901234567890, "é\\u00e9"]},\n"max_tokens":50,"messages":[{"role":"user","content":"hi","x":null}] }`;
  await call(proxy.url, "openai", body);
  assert.equal(lastSeen().body.toString(), body);
});

test("an answer comes back byte for byte, with its cost and an id", async () => {
  const body = plainBody("openai").replace("{", '{ "x_new":1.0, ');
  upstream.script = sendPlain(body);
  const answer = await call(proxy.url, "openai", callBody(false));
  assert.equal(answer.text, body);
  // 40 tokens at 2 and 6 at 10 dollars per million.
  assert.equal(answer.headers["x-farebox-cost"], "0.00014");
  assert.match(String(answer.headers["x-farebox-request-id"]), /^req_[0-9a-f]{32}$/);
});

test("a stream comes back byte for byte, less the usage chunk that the client did not ask for", async () => {
  const events = streamEvents("openai");
  upstream.script = sendEvents(events);
  const quiet = await call(proxy.url, "openai", callBody(true));
  assert.equal(quiet.text, events.filter((event) => !event.includes('"usage"')).join(""));
  assert.equal(JSON.parse(lastSeen().body.toString()).stream_options.include_usage, true);
  const asked = await call(
    proxy.url,
    "openai",
    callBody(true, { stream_options: { include_usage: true } }),
  );
  assert.equal(asked.text, events.join(""));
  const anthropic = streamEvents("anthropic");
  upstream.script = sendEvents(anthropic);
  assert.equal((await call(proxy.url, "anthropic", callBody(true))).text, anthropic.join(""));
});

test("headers pass to the upstream but for credentials, ours, and the connection's", async () => {
  upstream.script = sendPlain(plainBody("anthropic"));
  await call(proxy.url, "anthropic", callBody(false), {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "x",
    "x-stainless-lang": "js",
    "accept-encoding": "gzip",
    cookie: "a=b",
    "x-farebox-tag": "team=a",
    "x-forwarded-for": "10.0.0.1",
    "x-service-token": "stolen",
  });
  const { headers, url } = lastSeen();
  assert.equal(url, "/v1/messages");
  assert.equal(headers["x-api-key"], "secret of A_KEY");
  assert.equal(headers["anthropic-version"], "2023-06-01");
  assert.equal(headers["anthropic-beta"], "x");
  assert.equal(headers["x-stainless-lang"], "js");
  assert.equal(headers["accept-encoding"], "identity");
  for (const name of [
    "authorization",
    "cookie",
    "x-farebox-tag",
    "x-forwarded-for",
    "x-service-token",
  ]) {
    assert.equal(headers[name], undefined, name);
  }
});

test("the key counts in either header, and the upstream's own replaces it", async () => {
  upstream.script = sendPlain(plainBody("openai"));
  const answer = await call(proxy.url, "openai", callBody(false), {
    authorization: "",
    "x-api-key": "fbx_good",
  });
  assert.equal(answer.status, 200);
  assert.equal(lastSeen().headers.authorization, "Bearer secret of O_KEY");
  assert.equal(lastSeen().headers["x-api-key"], undefined);
});

test("an upstream's refusal passes as it came, headers included", async () => {
  upstream.script = (res) => {
    res.writeHead(429, {
      "retry-after": "7",
      "x-ratelimit-remaining-tokens": "0",
      "content-type": "application/json",
    });
    res.end('{"error":{"message":"slow down","type":"tokens"}}');
  };
  const answer = await call(proxy.url, "openai", callBody(false));
  assert.equal(answer.status, 429);
  assert.equal(answer.text, '{"error":{"message":"slow down","type":"tokens"}}');
  assert.equal(answer.headers["retry-after"], "7");
  assert.equal(answer.headers["x-ratelimit-remaining-tokens"], "0");
});

test("a model that the operator renames is called by the upstream's name and priced by it", async () => {
  upstream.script = sendPlain(plainBody("openai"));
  await call(proxy.url, "openai", callBody(false).replace("gpt-4o-test", "client-name"));
  assert.equal(JSON.parse(lastSeen().body.toString()).model, "gpt-4o-test");
  assert.equal(lastSettled().call.model, "gpt-4o-test");
});

test("the output limit is lowered to what the account can pay, in the client's own field", async () => {
  upstream.script = sendPlain(plainBody("openai"));
  // The prompt counts some 40 tokens with its margin (80,000 nanos); 20 tokens of output cost 200,000.
  proxy.availableNanos = 280_000n;
  await call(
    proxy.url,
    "openai",
    callBody(false, { max_tokens: undefined, max_completion_tokens: 900 }),
  );
  const { max_completion_tokens: limit, max_tokens: other } = JSON.parse(
    lastSeen().body.toString(),
  );
  assert.ok(limit >= 16 && limit <= 25, `${limit}`);
  assert.equal(other, undefined);
});

test("a call that cannot pay for 16 tokens never reaches the upstream", async () => {
  const seen = upstream.seen.length;
  proxy.availableNanos = 100_000n;
  for (const dialect of dialects) {
    const answer = await call(proxy.url, dialect, callBody(true));
    assert.equal(answer.status, 402);
    assert.equal(errorOf(answer.text).farebox.reason, "INSUFFICIENT_BALANCE");
    assert.equal(errorOf(answer.text).farebox.top_up_url, "https://pay.example.com");
  }
  assert.equal(upstream.seen.length, seen);
});

test("the last byte waits for the journal, streamed or not", async () => {
  for (const isStream of [false, true]) {
    const events = streamEvents("openai");
    upstream.script = isStream ? sendEvents(events) : sendPlain(plainBody("openai"));
    const gate = Promise.withResolvers<void>();
    proxy.journal = () => gate.promise;
    const settled = proxy.settled.length;
    let isAnswered = false;
    const answer = call(proxy.url, "openai", callBody(isStream)).then((it) => {
      isAnswered = true;
      return it;
    });
    while (proxy.settled.length === settled) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isAnswered, false);
    gate.resolve();
    assert.equal((await answer).status, 200);
  }
});

test("an answer that cannot be made durable is not completed", async () => {
  proxy.journal = () => Promise.reject(new Error("the disk is gone"));
  upstream.script = sendPlain(plainBody("openai"));
  assert.equal((await call(proxy.url, "openai", callBody(false))).status, 500);
  upstream.script = sendEvents(streamEvents("openai"));
  await assert.rejects(call(proxy.url, "openai", callBody(true)));
  assert.equal(proxy.failures.splice(0).length, 2);
});

/** A client that goes away as soon as `when` says, by what it has read. */
async function leave(
  dialect: Dialect,
  isStream: boolean,
  when: (text: string) => boolean,
): Promise<void> {
  const req = startCall(dialect, isStream);
  if (when("")) {
    const seen = upstream.seen.length;
    await until(() => upstream.seen.length > seen);
    req.destroy();
    return;
  }
  const [res] = await once(req, "response");
  let text = "";
  for await (const part of res) {
    text += part;
    if (when(text)) break;
  }
  req.destroy();
}

/** Sends a call whose answer is not waited for. */
function startCall(dialect: Dialect, isStream: boolean): ClientRequest {
  const path = dialect === "openai" ? "/v1/chat/completions" : "/v1/messages";
  const req = httpRequest(`${proxy.url}${path}`, {
    method: "POST",
    headers: { authorization: "Bearer fbx_good" },
  });
  req.on("error", () => undefined);
  req.end(callBody(isStream));
  return req;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test("a client that leaves midway stops the upstream at once and pays for prompt and delivery", async () => {
  const events = streamEvents("anthropic").slice(0, 4);
  upstream.script = sendEvents(events, "hang");
  const [seen, settled] = [upstream.seen.length, proxy.settled.length];
  await leave("anthropic", true, (text) => text.includes("fare"));
  await upstream.closed(seen);
  assert.equal(lastSeen().wasAborted, true);
  await proxy.settledCount(settled + 1);
  const { outcome } = lastSettled();
  assert.deepEqual([outcome.state, outcome.usageSource], ["cancelled", "partial"]);
  assert.equal(outcome.usage.inputTokens, promptTokens);
  assert.ok(outcome.usage.outputTokens > 0);
});

test("a client that leaves before any answer stops the upstream and pays for the prompt", async () => {
  for (const isStream of [true, false]) {
    upstream.script = () => undefined;
    const [seen, settled] = [upstream.seen.length, proxy.settled.length];
    await leave("openai", isStream, () => true);
    await upstream.closed(seen);
    await proxy.settledCount(settled + 1);
    const { outcome } = lastSettled();
    assert.deepEqual([outcome.state, outcome.usageSource], ["cancelled", "estimated"]);
    assert.ok(outcome.usage.inputTokens > 5);
    assert.equal(outcome.usage.outputTokens, 0);
  }
});

test("a client that leaves while its call waits for a grant gives up its place, and nothing is called", async (t) => {
  const billing = new FakeBilling();
  const open = await openTestBilling(billing, journalDirectory(t));
  await open.ready(AbortSignal.timeout(5000));
  billing.isDown = true;
  await using other = await startProxy(upstream, { quota: open.interceptor });
  const pool = open.book.poolOf("acc", "llm");
  const [main, seen] = [proxy, upstream.seen.length];
  proxy = other;
  const req = startCall("openai", true);
  proxy = main;
  await until(() => pool.waiting.length === 1);
  req.destroy();
  await until(() => other.refused.length > 0);
  assert.deepEqual([other.refused, pool.waiting], [["CLIENT_CLOSED"], []]);
  assert.deepEqual([upstream.seen.length, open.interceptor.callsInFlight], [seen, 0]);
  await open.close(AbortSignal.timeout(5000));
});

test("an id repeated before its call is settled is told to come back, and then that it was charged", async (t) => {
  const billing = new FakeBilling();
  billing.credit("acc", dollar);
  const open = await openTestBilling(billing, journalDirectory(t));
  await open.ready(AbortSignal.timeout(5000));
  billing.isAcknowledging = false;
  await using other = await startProxy(upstream, { quota: open.interceptor });
  upstream.script = sendPlain(plainBody("openai"));
  const seen = upstream.seen.length;
  const repeat = async () => {
    const answer = await call(other.url, "openai", callBody(false), { "x-request-id": "mine" });
    const reason = answer.status === 200 ? "" : errorOf(answer.text).farebox.reason;
    return [answer.status, reason, answer.headers["retry-after"]];
  };
  assert.deepEqual(await repeat(), [200, "", undefined]);
  assert.deepEqual(await repeat(), [409, "REQUEST_IN_PROGRESS", "1"]);
  billing.acknowledgeAll();
  await open.settlement.settled(open.journal.durablePosition, AbortSignal.timeout(5000));
  assert.deepEqual(await repeat(), [409, "REQUEST_ALREADY_CHARGED", undefined]);
  assert.equal(upstream.seen.length, seen + 1);
  await open.close(AbortSignal.timeout(5000));
});

test("the account's disconnect policy decides what a client that leaves pays", async () => {
  for (const [policy, hasInput] of [
    ["input_only", true],
    ["nothing", false],
  ] as const) {
    await using other = await startProxy(upstream, { holder: { disconnectPolicy: policy } });
    const main = proxy;
    proxy = other;
    upstream.script = sendEvents(streamEvents("openai").slice(0, 3), "hang");
    await leave("openai", true, (text) => text.includes("is"));
    await other.settledCount(1);
    proxy = main;
    const usage = other.settled[0]?.outcome.usage ?? assert.fail();
    assert.deepEqual([usage.inputTokens > 0, usage.outputTokens], [hasInput, 0]);
  }
});

test("a stream that outruns its reservation ends in the provider's own shape", async () => {
  const long = `data: ${JSON.stringify({ id: "c", model: "m", choices: [{ index: 0, delta: { content: "word ".repeat(4000) } }] })}\n\n`;
  upstream.script = sendEvents([long, long, long, long], "hang");
  proxy.availableNanos = 600_000n;
  const answer = await call(proxy.url, "openai", callBody(true));
  assert.match(answer.text, /"finish_reason":"length"/);
  assert.ok(answer.text.endsWith("data: [DONE]\n\n"));
  assert.deepEqual(lastSettled().outcome.state, "succeeded");
  assert.ok(lastSettled().outcome.usage.outputTokens >= 4000);
  await upstream.closed(upstream.seen.length - 1);
  assert.equal(lastSeen().wasAborted, true);
});

test("a slow client slows the upstream down", async () => {
  const block = Buffer.from(
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "x".repeat(60_000) } }] })}\n\n`,
  );
  let written = 0;
  upstream.script = (res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    const pump = () => {
      while (!res.destroyed && written < 2000 && res.write(block)) written++;
    };
    res.on("drain", pump);
    pump();
  };
  const req = httpRequest(`${proxy.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer fbx_good" },
  });
  req.on("error", () => undefined);
  req.end(callBody(true, { max_tokens: 4000 }));
  const [res] = await once(req, "response");
  res.pause();
  let last = -1;
  while (last !== written) {
    last = written;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  req.destroy();
  assert.ok(written < 1000, `${written} blocks of 60 KB were taken from the upstream`);
});

test("a plain answer too large to keep passes through, and is charged by the usage at its end", async () => {
  const body = plainBody("openai").replace("The ", "x".repeat(3_000_000));
  upstream.script = async (res) => {
    res.writeHead(200, { "content-type": "application/json" });
    for (let at = 0; at < body.length; at += 65_536) {
      await new Promise<void>((resolve) => res.write(body.slice(at, at + 65_536), () => resolve()));
    }
    res.end();
  };
  const answer = await call(proxy.url, "openai", callBody(false));
  assert.equal(answer.text, body);
  assert.equal(answer.headers["x-farebox-cost"], undefined);
  assert.equal(lastSettled().outcome.usage.inputTokens, promptTokens);
});

test("usage beyond the model's window is put aside, not debited", async () => {
  const usage = { prompt_tokens: 5, completion_tokens: 1_000_000_000, total_tokens: 1_000_000_005 };
  upstream.script = sendPlain(plainBody("openai", usage));
  await call(proxy.url, "openai", callBody(false));
  assert.equal(lastSettled().outcome.isAbsurd, true);
});

test("an explicit zero is a zero, and a usage that cannot be true is estimated", async () => {
  const zero = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  upstream.script = sendPlain(plainBody("openai", zero));
  const answer = await call(proxy.url, "openai", callBody(false));
  assert.equal(answer.headers["x-farebox-cost"], "0");
  assert.equal(lastSettled().outcome.usageSource, "provider");
  upstream.script = sendPlain(plainBody("openai", { prompt_tokens: -4, completion_tokens: 2 }));
  await call(proxy.url, "openai", callBody(false));
  assert.equal(lastSettled().outcome.usageSource, "estimated");
});

test("a server that stops finishes the call in flight, and takes no other", async () => {
  await using other = await startProxy(upstream);
  const gate = Promise.withResolvers<void>();
  upstream.script = async (res, seen) => {
    await gate.promise;
    await sendPlain(plainBody("openai"))(res, seen);
  };
  const seen = upstream.seen.length;
  const inFlight = call(other.url, "openai", callBody(false));
  while (upstream.seen.length === seen) await new Promise((resolve) => setImmediate(resolve));
  const drained = other.drain(5000);
  await assert.rejects(call(other.url, "openai", callBody(false)));
  gate.resolve();
  const answer = await inFlight;
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.connection, "close");
  await drained;
});

test("a server that stops waits no longer than it is told", async () => {
  await using other = await startProxy(upstream);
  upstream.script = () => undefined;
  const seen = upstream.seen.length;
  const inFlight = call(other.url, "openai", callBody(false));
  while (upstream.seen.length === seen) await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([other.drain(50), assert.rejects(inFlight)]);
  await other.settledCount(1);
  assert.equal(other.settled[0]?.outcome.state, "cancelled");
});
