import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, callBody } from "./support/call.ts";
import { type ProxyUnderTest, startProxy } from "./support/proxy-under-test.ts";
import { type ScriptedUpstream, startScriptedUpstream } from "./support/scripted-upstream.ts";
import { plainBody, sendPlain } from "./support/scripts.ts";

let upstream: ScriptedUpstream;
let proxy: ProxyUnderTest;
before(async () => {
  upstream = await startScriptedUpstream();
  upstream.script = sendPlain(plainBody("openai"));
  proxy = await startProxy(upstream, {
    holder: { allowedModels: ["gpt-4o*", "unpriced", "nobody"] },
  });
});
after(async () => {
  await proxy[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const big = callBody(false, { pad: "x".repeat(1_100_000) });
const manyTags = Array.from({ length: 17 }, (_, at) => `k${at}=v`).join(",");
const model = (name: string) => callBody(false).replace("gpt-4o-test", name);

// biome-ignore format: a table is read by column
const refusals: [name: string, body: string, headers: Record<string, string>, status: number, reason: string, field?: string][] = [
  ["a missing key", callBody(false), { authorization: "" }, 401, "UNAUTHENTICATED"],
  ["an unknown key", callBody(false), { authorization: "Bearer fbx_bad" }, 401, "UNAUTHENTICATED"],
  ["another scheme", callBody(false), { authorization: "Basic fbx_good" }, 401, "UNAUTHENTICATED"],
  ["a model that the key may not use", model("claude-x"), {}, 403, "MODEL_NOT_ALLOWED"],
  ["a model without a price", model("unpriced"), {}, 400, "MODEL_NOT_PRICED"],
  ["an upstream that is not there", callBody(false), { "x-farebox-upstream": "nobody" }, 404, "MODEL_NOT_FOUND"],
  ["a body that is too large", big, {}, 413, "BODY_TOO_LARGE"],
  ["a body that is no JSON", "{", {}, 400, "INVALID_ARGUMENT", "body"],
  ["a faulty field", callBody(false, { n: 0 }), {}, 400, "INVALID_ARGUMENT", "n"],
  ["a tag without a value", callBody(false), { "x-farebox-tag": "team" }, 400, "INVALID_ARGUMENT", "x-farebox-tag"],
  ["too many tags", callBody(false), { "x-farebox-tag": manyTags }, 400, "INVALID_ARGUMENT", "x-farebox-tag"],
  ["a tag that is too long", callBody(false), { "x-farebox-tag": `k=${"v".repeat(127)}` }, 400, "INVALID_ARGUMENT", "x-farebox-tag"],
  ["a request id that is too long", callBody(false), { "x-request-id": "x".repeat(129) }, 400, "INVALID_ARGUMENT", "x-request-id"],
  ["a header hidden from the upstream", callBody(false), { connection: "close, anthropic-version" }, 400, "INVALID_ARGUMENT", "connection"],
];

for (const [name, body, headers, status, reason, field] of refusals) {
  test(`refuses ${name} in OpenAI's shape, before the upstream is called`, async () => {
    if (body === big || name === "a header hidden from the upstream")
      return refuseByFetch(body, headers, status, reason);
    const answer = await call(proxy.url, "openai", body, headers);
    assert.equal(answer.status, status);
    const { error } = JSON.parse(answer.text);
    assert.equal(error.farebox.reason, reason);
    if (field !== undefined) assert.equal(error.param, field);
    assert.equal(upstream.seen.length, 0);
    assert.deepEqual(proxy.failures, []);
  });
}

/** Over Node's own client, which sends what it is told. */
async function refuseByFetch(
  body: string,
  headers: Record<string, string>,
  status: number,
  reason: string,
): Promise<void> {
  const { request } = await import("node:http");
  const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const req = request(`${proxy.url}/v1/chat/completions`, {
      method: "POST",
      headers: {
        authorization: "Bearer fbx_good",
        "content-length": Buffer.byteLength(body),
        ...headers,
      },
    });
    req.on("error", reject);
    req.on("response", async (res) => {
      let text = "";
      for await (const part of res) text += part;
      resolve({ status: res.statusCode ?? 0, text });
      req.destroy();
    });
    req.write(body.slice(0, 1000));
    if (body.length <= 1000) req.end();
  });
  assert.equal(answer.status, status);
  assert.equal(JSON.parse(answer.text).error.farebox.reason, reason);
}

test("refuses in Anthropic's shape on its path", async () => {
  const answer = await call(proxy.url, "anthropic", callBody(false), {
    authorization: "Bearer nobody",
  });
  assert.equal(answer.status, 401);
  const { type, error } = JSON.parse(answer.text);
  assert.deepEqual([type, error.type], ["error", "authentication_error"]);
});

test("a key without the scope to call models is refused by name", async () => {
  await using other = await startProxy(upstream, { holder: { scopes: new Set(["billing:read"]) } });
  const answer = await call(other.url, "openai", callBody(false));
  assert.equal(answer.status, 403);
  assert.equal(JSON.parse(answer.text).error.farebox.metadata.scope, "inference");
});

test("an unknown path or method is a typed 404", async () => {
  for (const [path, method] of [
    ["/v1/embeddings", "POST"],
    ["/v1/chat/completions", "GET"],
    ["/", "GET"],
  ] as const) {
    const res = await fetch(`${proxy.url}${path}`, { method });
    assert.equal(res.status, 404);
    assert.match(await res.text(), /ROUTE_NOT_FOUND/);
  }
});

test("a refusal speaks Chinese to those who ask for it", async () => {
  const answer = await call(proxy.url, "openai", model("unpriced"), {
    "accept-language": "zh-CN,en",
  });
  assert.equal(JSON.parse(answer.text).error.message, "该模型没有定价。");
});

test("tags reach the transaction, from repeated headers and between commas", async () => {
  const answer = await call(proxy.url, "openai", callBody(false), {
    "x-farebox-tag": "team=a, env=b c",
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(proxy.settled.at(-1)?.call.tags, ["team=a", "env=b c"]);
});

test("models that are routed, priced and allowed are listed in the caller's dialect", async () => {
  const headers = { authorization: "Bearer fbx_good" };
  const list = await (await fetch(`${proxy.url}/v1/models`, { headers })).json();
  assert.deepEqual(list, {
    object: "list",
    data: [{ id: "gpt-4o-test", object: "model", created: 0, owned_by: "o" }],
  });
  const one = await fetch(`${proxy.url}/v1/models/gpt-4o-test`, {
    headers: { ...headers, "anthropic-version": "2023-06-01" },
  });
  assert.match(await one.text(), /^\{"type":"model"/);
  const none = await fetch(`${proxy.url}/v1/models/gpt-0`, { headers });
  assert.equal(none.status, 404);
  assert.equal((await fetch(`${proxy.url}/v1/models`)).status, 401);
});

test("probes answer on the public port", async () => {
  for (const path of ["/healthz", "/livez", "/readyz"]) {
    assert.equal((await fetch(`${proxy.url}${path}`)).status, 200);
  }
});
