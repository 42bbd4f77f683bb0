import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { EchoService } from "../testing/echo-service.ts";
import { type TestCallers, testChain } from "../testing/rpc.ts";
import { connectRoutes } from "./connect-mount.ts";
import { listen } from "./ops-server.ts";
import { serviceMount } from "./service-mount.ts";

const callers: TestCallers = {
  reader: {
    kind: "key",
    apiKeyId: "key_1",
    accountId: "acc_mine",
    userId: "u1",
    scopes: new Set(["BILLING_READ"]),
  },
};

type Edge = AsyncDisposable & {
  post(
    body: string | Uint8Array,
    headers?: Record<string, string>,
  ): Promise<{ status: number; json: Answer }>;
};
type Answer = {
  readonly code?: string;
  readonly message?: string;
  readonly amountNanos?: string;
  readonly accountId?: string;
  readonly details?: readonly { readonly type: string; readonly debug?: Detail }[];
};
type Detail = {
  readonly reason?: string;
  readonly domain?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly message?: string;
};

async function openEdge(): Promise<Edge> {
  const mount = serviceMount(EchoService, { echo: async (req) => req });
  const server = createServer(
    connectNodeAdapter({ routes: connectRoutes([mount], testChain(callers)) }),
  );
  const port = await listen(server, "127.0.0.1", 0);
  return {
    post: async (body, headers = {}) => {
      const response = await fetch(`http://127.0.0.1:${port}/farebox.test.v1.EchoService/Echo`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: "Bearer reader",
          ...headers,
        },
        body: typeof body === "string" ? body : Buffer.from(body),
      });
      return { status: response.status, json: JSON.parse(await response.text()) };
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function errorInfo(answer: Answer): Detail | undefined {
  return answer.details?.find((detail) => detail.type === "google.rpc.ErrorInfo")?.debug;
}

test("answers JSON with int64 as text and defaults spelt out", async () => {
  await using edge = await openEdge();
  const { status, json } = await edge.post('{"amountNanos":"9007199254740993"}');
  assert.deepEqual(
    [status, json.amountNanos, json.accountId],
    [200, "9007199254740993", "acc_mine"],
  );
  assert.equal((await edge.post("{}")).json.amountNanos, "0");
});

// biome-ignore format: a decision table is read by column
const faulty: [name: string, body: string, field: string][] = [
  ["an unknown field",               '{"nonsense":1}',                     "nonsense"],
  ["an unknown field of a child",    '{"children":[{"bogus":1}]}',         "children[0].bogus"],
  ["a wrong type within a child",    '{"children":[{},{"text":7}]}',       "children[1].text"],
  ["text for a list of messages",    '{"children":"x"}',                   "children"],
  ["a wrong type",                   '{"text":7}',                         "text"],
  ["a malformed int64",              '{"amountNanos":"12x"}',              "amount_nanos"],
  ["a fraction for an int64",        '{"amountNanos":1.5}',                "amount_nanos"],
  ["an int64 out of range",          '{"amountNanos":"9223372036854775808"}', "amount_nanos"],
  ["an int32 out of range",          '{"count":4294967296}',               "count"],
  ["an int64 number that is rounded", '{"amountNanos":9007199254740993}',  "amount_nanos"],
  ["a rounded one within a child",   '{"children":[{},{"amount_nanos":-9007199254740993}]}', "children[1].amount_nanos"],
  ["a rounded one with an exponent", '{"amountNanos":1e16}',               "amount_nanos"],
  ["a hexadecimal int64",            '{"amountNanos":"0x10"}',             "amount_nanos"],
  ["a binary int64",                 '{"amountNanos":"0b11"}',             "amount_nanos"],
  ["a space in an int64",            '{"amountNanos":" 5"}',               "amount_nanos"],
  ["a line end in an int64",         '{"amountNanos":"5\\n"}',             "amount_nanos"],
  ["a plus before an int64",         '{"amountNanos":"+5"}',               "amount_nanos"],
  ["a zero before an int64",         '{"amountNanos":"007"}',              "amount_nanos"],
  ["no digit for an int64",          '{"amountNanos":""}',                 "amount_nanos"],
  ["a hexadecimal int32",            '{"count":"0x1"}',                    "count"],
  ["text that is too long",          '{"text":"01234567890"}',             "text"],
  ["no JSON at all",                 "{",                                  "body"],
  ["an empty body",                  "",                                   "body"],
  ["nothing for a request",          "null",                               "body"],
  ["a list for a request",           "[]",                                 "body"],
];

test("refuses faulty JSON with ErrorInfo that names the field", async (t) => {
  await using edge = await openEdge();
  for (const [name, body, field] of faulty) {
    await t.test(name, async () => {
      const { status, json } = await edge.post(body);
      const info = errorInfo(json);
      assert.deepEqual(
        [
          status,
          json.code,
          info?.domain,
          info?.reason,
          info?.metadata?.code,
          info?.metadata?.field,
        ],
        [400, "invalid_argument", "farebox", "INVALID_ARGUMENT", "9001", field],
        JSON.stringify(json),
      );
    });
  }
});

test("takes every exact integer, in quotes or not", async () => {
  await using edge = await openEdge();
  for (const [sent, received] of [
    ["9007199254740991", "9007199254740991"],
    ["-9007199254740991", "-9007199254740991"],
    ['"9223372036854775807"', "9223372036854775807"],
    ['"-9223372036854775808"', "-9223372036854775808"],
    ['"0"', "0"],
    ["1e3", "1000"],
    ["null", "0"],
  ]) {
    const { status, json } = await edge.post(`{"amount_nanos":${sent}}`);
    assert.deepEqual([status, json.amountNanos], [200, received], sent);
  }
});

test("says how to send an int64 that JSON rounds, in a compressed body too", async () => {
  await using edge = await openEdge();
  const body = '{"children":[{"amountNanos":9007199254740993}]}';
  for (const { json } of [
    await edge.post(body),
    await edge.post(gzipSync(body), { "content-encoding": "gzip" }),
  ]) {
    assert.equal(errorInfo(json)?.metadata?.field, "children[0].amount_nanos");
    assert.match(json.message ?? "", /^children\[0\]\.amount_nanos: .*send it in quotes/);
  }
});

test("refuses malformed binary protobuf with ErrorInfo too", async () => {
  await using edge = await openEdge();
  const { status, json } = await edge.post(Buffer.from([0x0a, 0xff, 0xff]), {
    "content-type": "application/proto",
  });
  assert.deepEqual([status, errorInfo(json)?.reason], [400, "INVALID_ARGUMENT"]);
});

test("refuses a body above 4 MiB as too large, compressed or not", async () => {
  await using edge = await openEdge();
  const body = JSON.stringify({ text: "x".repeat(4 * 1024 * 1024) });
  for (const { status, json } of [
    await edge.post(body),
    await edge.post(gzipSync(body), { "content-encoding": "gzip" }),
  ]) {
    assert.deepEqual([status, json.code], [413, "invalid_argument"]);
    const { reason, metadata } = errorInfo(json) ?? {};
    assert.deepEqual(
      [reason, metadata],
      ["BODY_TOO_LARGE", { code: "40001", bytes_max: "4194304" }],
    );
  }
});

test("refuses a wrong key and another's account with ErrorInfo", async () => {
  await using edge = await openEdge();
  const wrong = await edge.post("{}", { authorization: "Bearer fbx_wrong" });
  assert.deepEqual([wrong.status, errorInfo(wrong.json)?.reason], [401, "UNAUTHENTICATED"]);
  assert(!JSON.stringify(wrong.json).includes("fbx_wrong"));
  const other = await edge.post('{"accountId":"acc_other"}');
  assert.deepEqual([other.status, errorInfo(other.json)?.reason], [404, "ACCOUNT_NOT_FOUND"]);
});

test("speaks Chinese to those who ask for it", async () => {
  await using edge = await openEdge();
  const { json } = await edge.post('{"accountId":"acc_other"}', { "accept-language": "zh-CN" });
  const localized = json.details?.find((detail) => detail.type.endsWith("LocalizedMessage"));
  assert.equal(localized?.debug?.message, "账户不存在。");
});
