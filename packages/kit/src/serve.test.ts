import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { EchoSchema, EchoService } from "../testing/echo-service.ts";
import {
  inMemoryClient,
  serveForTest,
  type TestCallers,
  testServiceToken,
} from "../testing/rpc.ts";
import { AppError } from "./app-error.ts";
import { createGrpcClient } from "./grpc-client.ts";
import type { Caller, RpcImpl } from "./rpc-context.ts";
import { serviceMount } from "./service-mount.ts";

const reader: Caller = {
  kind: "key",
  apiKeyId: "key_1",
  accountId: "acc_mine",
  userId: "u1",
  scopes: new Set(["BILLING_READ"]),
};
const callers: TestCallers = {
  reader,
  admin: { ...reader, scopes: new Set(["ADMIN"]) },
  poor: { ...reader, scopes: new Set(["INFERENCE"]) },
};

const impl: RpcImpl<typeof EchoService> = {
  echo: async (req) => {
    if (req.text === "boom") throw new Error("secret detail of a bug");
    if (req.text === "broke") {
      throw new AppError("INSUFFICIENT_BALANCE", undefined, {
        metadata: { available: "0.5" },
        retryAfterMs: 1500,
      });
    }
    return req;
  },
  administer: async (req) => req,
  settle: async (req) => req,
  forgotten: async (req) => req,
  count: async function* (req) {
    for (let i = 0; i < req.count; i += 1) yield { count: i, text: req.text };
    if (req.text === "broke") throw new AppError("INSUFFICIENT_BALANCE");
  },
  sum: async (reqs) => {
    let amountNanos = 0n;
    for await (const req of reqs) amountNanos += req.amountNanos;
    return { amountNanos };
  },
  chat: async function* (reqs) {
    for await (const req of reqs) yield { text: req.text, count: req.count + 1 };
  },
};
const mounts = [serviceMount(EchoService, impl)];

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const item of items) seen.push(item);
  return seen;
}

async function refusal(work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    assert(error instanceof AppError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "was not refused" });
}

test("answers a unary call over gRPC exactly, above 2^53 too", async () => {
  await using server = await serveForTest(mounts, callers);
  const answer = await server.client(EchoService).echo({
    text: "hi",
    amountNanos: 9_007_199_254_740_993n,
    children: [{ text: "child" }],
  });
  assert.equal(answer.amountNanos, 9_007_199_254_740_993n);
  assert.equal(answer.children[0]?.text, "child");
});

test("restores a refusal at the client: reason, metadata, time to wait, message", async () => {
  await using server = await serveForTest(mounts, callers);
  const error = await refusal(server.client(EchoService).echo({ text: "broke" }));
  assert.equal(error.reason, "INSUFFICIENT_BALANCE");
  assert.deepEqual(error.metadata, { available: "0.5" });
  assert.equal(error.retryAfterMs, 1500);
  assert.equal(error.publicMessage, "The balance does not cover this call.");
});

test("a bug reaches the client without its message", async () => {
  await using server = await serveForTest(mounts, callers);
  const error = await refusal(server.client(EchoService).echo({ text: "boom" }));
  assert.equal(error.reason, "INTERNAL");
  assert(!JSON.stringify([error.message, error.metadata]).includes("secret"));
  assert(!String(error.cause).includes("secret"));
});

// biome-ignore format: a decision table is read by column
const accessCases: [name: string, key: string | undefined, method: "echo" | "administer" | "settle" | "forgotten", reason: string | undefined][] = [
  ["a key with the scope may call",                "reader",  "echo",       undefined],
  ["a key without the scope may not",              "poor",    "echo",       "PERMISSION_DENIED"],
  ["an unknown key is nobody",                     "nobody",  "echo",       "UNAUTHENTICATED"],
  ["a reader is no administrator",                 "reader",  "administer", "PERMISSION_DENIED"],
  ["an administrator passes every scope",          "admin",   "echo",       undefined],
  ["an administrator is not one of our services",  "admin",   "settle",     "PERMISSION_DENIED"],
  ["a service passes SERVICE",                     undefined, "settle",     undefined],
  ["a service passes ADMIN",                       undefined, "administer", undefined],
  ["a method without a rule is closed to services", undefined, "forgotten", "PERMISSION_DENIED"],
  ["a method without a rule is closed to admins",  "admin",   "forgotten",  "PERMISSION_DENIED"],
];

test("access: scopes of the contract", async (t) => {
  await using server = await serveForTest(mounts, callers);
  for (const [name, key, method, reason] of accessCases) {
    await t.test(name, async () => {
      const call = server.client(EchoService, key)[method]({ text: "x" });
      if (reason === undefined) await call;
      else assert.equal((await refusal(call)).reason, reason);
    });
  }
});

test("access: a wrong service token and no credential at all are UNAUTHENTICATED", async () => {
  await using server = await serveForTest(mounts, callers);
  for (const serviceToken of ["wrong", undefined]) {
    const client = createGrpcClient(EchoService, {
      address: server.address,
      deadlineMs: 5000,
      ...(serviceToken === undefined ? {} : { serviceToken }),
    });
    assert.equal((await refusal(client.echo({}))).reason, "UNAUTHENTICATED");
    client.close();
  }
});

test("access: a forwarded key wins over the service token it travels with", async () => {
  await using server = await serveForTest(mounts, callers);
  const call = server
    .client(EchoService)
    .settle({}, { metadata: { authorization: "Bearer reader" } });
  assert.equal((await refusal(call)).reason, "PERMISSION_DENIED");
});

test("access: a key sees its own account only", async () => {
  await using server = await serveForTest(mounts, callers);
  const client = server.client(EchoService, "reader");
  assert.equal((await client.echo({})).accountId, "acc_mine");
  assert.equal((await client.echo({ accountId: "acc_mine" })).accountId, "acc_mine");
  assert.equal(
    (await refusal(client.echo({ accountId: "acc_other" }))).reason,
    "ACCOUNT_NOT_FOUND",
  );
  const tenant = await refusal(client.echo({ tenantId: "t1" }));
  assert.deepEqual([tenant.reason, tenant.metadata.field], ["PERMISSION_DENIED", "tenant_id"]);
  const admin = server.client(EchoService, "admin");
  const seen = await admin.echo({ accountId: "acc_other", tenantId: "t1" });
  assert.deepEqual([seen.accountId, seen.tenantId], ["acc_other", "t1"]);
});

test("validation names the field in proto naming and lists every fault", async () => {
  await using server = await serveForTest(mounts, callers);
  const error = await refusal(
    server.client(EchoService).echo({ text: "01234567890", children: [{ text: "01234567890" }] }),
  );
  assert.equal(error.reason, "INVALID_ARGUMENT");
  assert.equal(error.metadata.field, "text");
  assert.deepEqual(
    error.violations.map((violation) => violation.field),
    ["text", "children[0].text"],
  );
});

test("a method can be left out of validation, but not of the account rule", async () => {
  const unvalidated = [serviceMount(EchoService, impl, { unvalidated: ["echo"] })];
  await using server = await serveForTest(unvalidated, callers);
  const client = server.client(EchoService, "reader");
  assert.equal((await client.echo({ text: "01234567890" })).text, "01234567890");
  assert.equal((await refusal(client.echo({ accountId: "x" }))).reason, "ACCOUNT_NOT_FOUND");
});

test("a method that is left out answers UNIMPLEMENTED, to those who may call it", async () => {
  await using server = await serveForTest([serviceMount(EchoService, {})], callers);
  const client = server.client(EchoService, "reader");
  assert.equal((await refusal(client.echo({}))).reason, "UNIMPLEMENTED");
  assert.equal((await refusal(client.settle({}))).reason, "PERMISSION_DENIED");
  const error = await refusal(all(client.count({})));
  assert.equal(error.reason, "UNIMPLEMENTED");
});

test("bytes that are no protobuf are INVALID_ARGUMENT, not a crash", async () => {
  await using server = await serveForTest(mounts, callers);
  const client = new Client(server.address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("x-service-token", testServiceToken);
  const code = await new Promise((resolve) => {
    client.makeUnaryRequest(
      "/farebox.test.v1.EchoService/Echo",
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.from([0x0a, 0xff, 0xff]),
      metadata,
      (error) => resolve(error?.code),
    );
  });
  client.close();
  assert.equal(code, 3);
});

test("raw codecs stand in for protobuf-es on both sides", async () => {
  const counts = { decoded: 0, encoded: 0 };
  const codecs = {
    echo: {
      decodeRequest: (bytes: Uint8Array) => {
        counts.decoded += 1;
        return create(EchoSchema, { text: `${bytes.byteLength}` });
      },
      encodeResponse: (answer: { text?: string }) => {
        counts.encoded += 1;
        return toBinary(EchoSchema, create(EchoSchema, { text: `${answer.text}!` }));
      },
    },
  };
  await using server = await serveForTest([serviceMount(EchoService, impl, { codecs })], callers);
  const client = createGrpcClient(EchoService, {
    address: server.address,
    deadlineMs: 5000,
    serviceToken: testServiceToken,
    codecs: {
      echo: {
        encodeRequest: () => Buffer.from("12345"),
        decodeResponse: (bytes) => create(EchoSchema, { count: bytes.byteLength }),
      },
    },
  });
  assert.equal((await client.echo({})).count, 4);
  client.close();
  assert.deepEqual(counts, { decoded: 1, encoded: 1 });
});

test("streams answers, and a refusal after some of them", async () => {
  await using server = await serveForTest(mounts, callers);
  const client = server.client(EchoService);
  const answers = await all(client.count({ count: 500 }));
  assert.deepEqual(
    answers.map((answer) => answer.count),
    Array.from({ length: 500 }, (_, i) => i),
  );
  const seen: number[] = [];
  const error = await refusal(
    (async () => {
      for await (const answer of client.count({ count: 3, text: "broke" })) seen.push(answer.count);
    })(),
  );
  assert.deepEqual([error.reason, seen], ["INSUFFICIENT_BALANCE", [0, 1, 2]]);
});

test("a client stream sums up, a bidirectional one answers each message in order", async () => {
  await using server = await serveForTest(mounts, callers);
  const client = server.client(EchoService, "reader");
  const sum = client.sum();
  for (let i = 1n; i <= 100n; i += 1n) sum.write({ amountNanos: i });
  sum.end();
  assert.equal((await all(sum))[0]?.amountNanos, 5050n);

  const chat = client.chat();
  const answered: number[] = [];
  const reading = (async () => {
    for await (const answer of chat) answered.push(answer.count);
  })();
  for (let i = 0; i < 2000; i += 1) {
    if (!chat.write({ count: i })) await chat.drained();
  }
  chat.end();
  await reading;
  assert.deepEqual(
    answered,
    Array.from({ length: 2000 }, (_, i) => i + 1),
  );
});

test("every message of a stream passes the account rule and validation", async () => {
  await using server = await serveForTest(mounts, callers);
  const client = server.client(EchoService, "reader");
  for (const [bad, reason] of [
    [{ accountId: "acc_other" }, "ACCOUNT_NOT_FOUND"],
    [{ text: "01234567890" }, "INVALID_ARGUMENT"],
  ] as const) {
    const chat = client.chat();
    chat.write({ count: 1 });
    chat.write(bad);
    const error = await refusal(all(chat));
    assert.equal(error.reason, reason);
    const told = await new Promise<AppError>((resolve) => chat.onError(resolve));
    assert.equal(told, error);
    await assert.rejects(chat.drained());
    assert.equal(chat.write({}), false);
  }
});

test("the deadline of a call aborts the handler's signal and reads DEADLINE_EXCEEDED", async () => {
  const seen = Promise.withResolvers<unknown>();
  const slow: RpcImpl<typeof EchoService> = {
    ...impl,
    echo: async (_req, ctx) => {
      await once(ctx.signal, "abort");
      seen.resolve(ctx.signal.reason);
      throw new Error("gave up");
    },
  };
  await using server = await serveForTest([serviceMount(EchoService, slow)], callers);
  const error = await refusal(server.client(EchoService).echo({}, { deadlineMs: 50 }));
  assert.equal(error.reason, "DEADLINE_EXCEEDED");
  const reason = await seen.promise;
  assert(reason instanceof AppError);
});

test("a client that goes away aborts the handler's signal, unary and streaming", async () => {
  const reasons: unknown[] = [];
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const waiting: RpcImpl<typeof EchoService> = {
    ...impl,
    chat: async function* (reqs, ctx) {
      ctx.signal.addEventListener("abort", () => {
        reasons.push(ctx.signal.reason);
        ended.resolve();
      });
      for await (const req of reqs) {
        started.resolve();
        yield req;
      }
    },
  };
  await using server = await serveForTest([serviceMount(EchoService, waiting)], callers);
  const chat = server.client(EchoService).chat();
  chat.write({ text: "a" });
  await started.promise;
  chat.cancel();
  await ended.promise;
  assert(reasons[0] instanceof AppError && reasons[0].reason === "CLIENT_CLOSED");
});

test("a caller's own signal cancels its call", async () => {
  const waiting: RpcImpl<typeof EchoService> = {
    ...impl,
    echo: async (req, ctx) => {
      await once(ctx.signal, "abort");
      return req;
    },
  };
  await using server = await serveForTest([serviceMount(EchoService, waiting)], callers);
  const client = server.client(EchoService);
  const controller = new AbortController();
  const call = refusal(client.echo({}, { signal: controller.signal }));
  controller.abort();
  assert.equal((await call).reason, "CLIENT_CLOSED");
  assert.equal(
    (await refusal(client.echo({}, { signal: controller.signal }))).reason,
    "CLIENT_CLOSED",
  );
});

test("a server that is not there is UNAVAILABLE at once", async () => {
  const client = createGrpcClient(EchoService, { address: "127.0.0.1:1", deadlineMs: 5000 });
  assert.equal((await refusal(client.echo({}))).reason, "UNAVAILABLE");
  client.close();
});

test("disposal ends open streams with UNAVAILABLE and lets unary calls finish", async () => {
  const started = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const slow: RpcImpl<typeof EchoService> = {
    ...impl,
    echo: async (req) => {
      started.resolve();
      await go.promise;
      return req;
    },
  };
  const server = await serveForTest([serviceMount(EchoService, slow)], callers);
  const client = createGrpcClient(EchoService, {
    address: server.address,
    deadlineMs: 5000,
    serviceToken: testServiceToken,
  });
  const chat = client.chat();
  chat.write({ text: "a" });
  const answers = chat[Symbol.asyncIterator]();
  assert.equal((await answers.next()).value.text, "a");
  const unary = client.echo({ text: "last" });
  await started.promise;
  const disposing = server[Symbol.asyncDispose]();
  assert.equal((await refusal(Promise.resolve(answers.next()))).reason, "UNAVAILABLE");
  go.resolve();
  assert.equal((await unary).text, "last");
  await disposing;
  client.close();
});

test("the same implementation answers alike over the in-memory Connect transport", async () => {
  const client = inMemoryClient(EchoService, mounts, callers, "reader");
  assert.equal((await client.echo({ text: "hi" })).accountId, "acc_mine");
  const answers = await all(client.count({ count: 3 }));
  assert.deepEqual(
    answers.map((answer) => answer.count),
    [0, 1, 2],
  );
  await assert.rejects(client.echo({ accountId: "acc_other" }), { code: 5 });
  await assert.rejects(client.settle({}), { code: 7 });
});
