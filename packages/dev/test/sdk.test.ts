import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { createGrpcClient } from "@farebox/kit/grpc-client";
import { newUuidText } from "@farebox/kit/ids";
import { ReportService } from "@farebox/proto/farebox/billing/v1/report_service";
import OpenAI from "openai";
import { readUpstream } from "../src/conservation/read-upstream.ts";
import { awaitCondition } from "../src/faults/await-condition.ts";
import { faultModels } from "../src/faults/fault-catalogue.ts";
import type { Customer } from "../src/faults/office.ts";
import { type FaultStack, openFaultStack } from "../src/faults/open-fault-stack.ts";
import type { DemoUsage } from "../src/upstream/demo-usage.ts";

// The official clients against a whole installation, with nothing but base URL and key changed.

let faults: FaultStack;
let customer: Customer;
before(async () => {
  faults = await openFaultStack({});
  customer = await faults.office.newCustomer(1_000_000_000n);
});
after(() => faults?.[Symbol.asyncDispose]());

const url = () => faults.stack.dev.gatewayUrl;
const openai = (apiKey = customer.apiKey) =>
  new OpenAI({ baseURL: `${url()}/v1`, apiKey, maxRetries: 0 });
const anthropic = (apiKey = customer.apiKey) =>
  new Anthropic({ baseURL: url(), apiKey, maxRetries: 0 });
const messages = [{ role: "user" as const, content: "What does a farebox do?" }];

/** Tenths of a nano per token, as the price file has them; a cost is their sum, rounded up once. */
function costOf(usage: DemoUsage): bigint {
  const tenths =
    usage.inputTokens * 1237 +
    usage.cacheReadTokens * 313 +
    (usage.cacheWriteTokens + usage.cacheWrite1hTokens) * 1549 +
    (usage.outputTokens + usage.reasoningTokens) * 6111;
  return (BigInt(tenths) + 9n) / 10n;
}

/** The transaction of an answer, once it is settled. */
async function transactionOf(answerId: string) {
  const client = createGrpcClient(ReportService, {
    address: faults.stack.billingAddresses.join(","),
    deadlineMs: 5000,
    metadata: { authorization: `Bearer ${customer.apiKey}` },
  });
  try {
    return await awaitCondition(`the transaction of ${answerId}`, async () => {
      const { transactions } = await client.listTransactions({ accountId: customer.accountId });
      return transactions.find((it) => it.upstreamId === answerId);
    });
  } finally {
    client.close();
  }
}

async function assertExact(answerId: string): Promise<void> {
  const { attempts } = await readUpstream(faults.upstreamUrl);
  const attempt = attempts.find((it) => it.id === answerId) ?? assert.fail("no such attempt");
  const transaction = await transactionOf(answerId);
  assert.equal(transaction?.cost?.amountNanos, costOf(attempt.usage));
}

for (const scenario of ["ok", "cached=40,reasoning=7", "cache-write=30", "output=33"]) {
  test(`an OpenAI client pays exactly what its provider counted: ${scenario}`, async () => {
    const headers = { "x-demo-scenario": scenario };
    const request = { model: faultModels.openai, max_tokens: 60, messages };
    const plain = await openai().chat.completions.create(request, { headers });
    await assertExact(plain.id);
    const stream = openai().chat.completions.stream(request, { headers });
    const streamed = await stream.finalChatCompletion();
    await assertExact(streamed.id);
    assert.ok((streamed.choices[0]?.message.content ?? "").length > 0);
  });

  test(`an Anthropic client pays exactly what its provider counted: ${scenario}`, async () => {
    const headers = { "x-demo-scenario": scenario };
    const request = { model: faultModels.anthropic, max_tokens: 60, messages };
    const plain = await anthropic().messages.create(request, { headers });
    await assertExact(plain.id);
    const streamed = await anthropic().messages.stream(request, { headers }).finalMessage();
    await assertExact(streamed.id);
  });
}

test("the answer's header states the cost that the transaction has", async () => {
  const { data, response } = await openai()
    .chat.completions.create({ model: faultModels.openai, messages })
    .withResponse();
  const transaction = await transactionOf(data.id);
  const nanos = transaction?.cost?.amountNanos ?? 0n;
  const stated = response.headers.get("x-farebox-cost") ?? "";
  assert.equal(BigInt(Math.round(Number(stated) * 1e9)), nanos);
  assert.equal(response.headers.get("x-farebox-request-id"), transaction?.requestId);
});

test("clients raise their own error classes for a refusal", async () => {
  const poor = await faults.office.newCustomer(0n);
  const request = { model: faultModels.openai, messages };
  const call = (apiKey: string, over: object = {}) =>
    openai(apiKey).chat.completions.create({ ...request, ...over });
  await assert.rejects(call("fbx_wrong"), OpenAI.AuthenticationError);
  await assert.rejects(call(customer.apiKey, { model: "nobody-has-this" }), OpenAI.NotFoundError);
  await assert.rejects(call(customer.apiKey, { n: 0 }), OpenAI.BadRequestError);
  await assert.rejects(call(poor.apiKey), (error) => {
    assert.ok(error instanceof OpenAI.APIError);
    assert.equal(error.status, 402);
    assert.equal(error.code, "insufficient_quota");
    return true;
  });
  const asAnthropic = (apiKey: string) =>
    anthropic(apiKey).messages.create({ model: faultModels.anthropic, max_tokens: 50, messages });
  await assert.rejects(asAnthropic("fbx_wrong"), Anthropic.AuthenticationError);
  await assert.rejects(asAnthropic(poor.apiKey), (error) => {
    assert.ok(error instanceof Anthropic.APIError);
    assert.equal(error.status, 402);
    return true;
  });
});

test("a key that may use some models only is refused the others", async () => {
  const { secret } = await faults.office.accounts.createApiKey({
    requestId: newUuidText(),
    accountId: customer.accountId,
    allowedModels: ["claude-*"],
    scopes: ["inference"],
  });
  const request = { model: faultModels.openai, messages };
  await assert.rejects(
    openai(secret).chat.completions.create(request),
    OpenAI.PermissionDeniedError,
  );
  const answer = await anthropic(secret).messages.create({
    model: faultModels.anthropic,
    max_tokens: 50,
    messages,
  });
  assert.equal(answer.type, "message");
});

test("an upstream's own refusal reaches the client as it came, free of charge", async () => {
  const headers = { "x-demo-scenario": "429=3" };
  const request = { model: faultModels.openai, messages };
  const call = openai().chat.completions.create(request, { headers });
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.headers.get("retry-after"), "3");
    return true;
  });
});

test("fifty calls with one x-request-id make one upstream call, one answer and 49 conflicts", async () => {
  const before = (await readUpstream(faults.upstreamUrl)).totals.calls;
  const headers = { "x-request-id": newUuidText(), "x-demo-scenario": "slow=300" };
  const request = { model: faultModels.openai, messages };
  const results = await Promise.allSettled(
    Array.from({ length: 50 }, () => openai().chat.completions.create(request, { headers })),
  );
  const answered = results.filter((it) => it.status === "fulfilled");
  const conflicts = results.filter(
    (it) => it.status === "rejected" && it.reason instanceof OpenAI.ConflictError,
  );
  assert.deepEqual([answered.length, conflicts.length], [1, 49]);
  assert.equal((await readUpstream(faults.upstreamUrl)).totals.calls, before + 1);

  // Once it is settled, the id is spent: the same call is told what it cost, another is told that the id is taken.
  await transactionOf(answered[0]?.value.id ?? "");
  await assert.rejects(
    openai().chat.completions.create(request, { headers }),
    /REQUEST_ALREADY_CHARGED|finished and was charged/,
  );
  await assert.rejects(
    openai().chat.completions.create({ ...request, n: 2 }, { headers }),
    /REQUEST_ID_REUSED|used before/,
  );
});

test("models are listed by either client", async () => {
  const listed = await openai().models.list();
  assert.deepEqual(
    listed.data.map(({ id }) => id),
    [faultModels.openai],
  );
  const one = await anthropic().models.retrieve(faultModels.anthropic);
  assert.equal(one.id, faultModels.anthropic);
});
