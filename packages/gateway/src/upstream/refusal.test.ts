import assert from "node:assert/strict";
import { test } from "node:test";
import { type Refusal, refusalAnswer, refusalEvent } from "./refusal.ts";

const unpaid: Refusal = {
  reason: "INSUFFICIENT_BALANCE",
  code: 10001,
  httpStatus: 402,
  message: "The balance does not cover this call.",
  metadata: { available: "0.0042", currency_code: "USD" },
  topUpUrl: "https://pay.example.com/top-up",
  requestId: "req_1",
};
const farebox = {
  reason: "INSUFFICIENT_BALANCE",
  code: 10001,
  limit: "balance",
  remaining: "0.0042",
  top_up_url: "https://pay.example.com/top-up",
  request_id: "req_1",
  metadata: { available: "0.0042", currency_code: "USD" },
};
const message =
  "The balance does not cover this call. (available: 0.0042 USD) https://pay.example.com/top-up";

test("a refusal for money says in OpenAI's dialect what remains and where to top up", () => {
  const answer = refusalAnswer("openai", unpaid);
  assert.equal(answer.status, 402);
  assert.deepEqual(JSON.parse(answer.body.toString()), {
    error: {
      message,
      type: "insufficient_quota",
      param: null,
      code: "insufficient_quota",
      farebox,
    },
  });
  assert.deepEqual(answer.headers, {
    "content-type": "application/json; charset=utf-8",
    "content-length": String(answer.body.length),
    "cache-control": "no-store",
  });
});

test("a refusal for money says the same in Anthropic's dialect", () => {
  assert.deepEqual(JSON.parse(refusalAnswer("anthropic", unpaid).body.toString()), {
    type: "error",
    error: { type: "billing_error", message, farebox },
    request_id: "req_1",
  });
});

// biome-ignore format: a table is read by column
const kinds: [reason: string, httpStatus: number, openaiType: string, openaiCode: string | null, anthropicType: string][] = [
  ["INVALID_ARGUMENT", 400, "invalid_request_error", null, "invalid_request_error"],
  ["UNAUTHENTICATED", 401, "authentication_error", "invalid_api_key", "authentication_error"],
  ["PERMISSION_DENIED", 403, "invalid_request_error", "permission_denied", "permission_error"],
  ["MODEL_NOT_ALLOWED", 403, "invalid_request_error", "permission_denied", "permission_error"],
  ["MODEL_NOT_FOUND", 404, "invalid_request_error", "model_not_found", "not_found_error"],
  ["MODEL_NOT_PRICED", 400, "invalid_request_error", "model_not_found", "invalid_request_error"],
  ["ROUTE_NOT_FOUND", 404, "invalid_request_error", "not_found", "not_found_error"],
  ["BODY_TOO_LARGE", 413, "invalid_request_error", "request_too_large", "request_too_large"],
  ["INSUFFICIENT_QUOTA", 429, "insufficient_quota", "insufficient_quota", "rate_limit_error"],
  ["BUDGET_EXCEEDED", 402, "insufficient_quota", "billing_hard_limit_reached", "billing_error"],
  ["ACCOUNT_IN_DEBT", 402, "insufficient_quota", "insufficient_quota", "billing_error"],
  ["TOO_MANY_WAITING", 429, "requests", "rate_limit_exceeded", "rate_limit_error"],
  ["REQUEST_IN_PROGRESS", 409, "invalid_request_error", "conflict", "invalid_request_error"],
  ["BILLING_UNAVAILABLE", 503, "server_error", null, "overloaded_error"],
  ["UPSTREAM_UNAVAILABLE", 502, "server_error", null, "api_error"],
  ["INTERNAL", 500, "server_error", null, "api_error"],
  ["A_REASON_OF_NEXT_YEAR", 402, "insufficient_quota", "insufficient_quota", "billing_error"],
];
for (const [reason, httpStatus, openaiType, openaiCode, anthropicType] of kinds) {
  test(`${reason} has the types that each dialect's clients know`, () => {
    const refusal: Refusal = { reason, code: 1, httpStatus, message: "No.", metadata: {} };
    const openai = JSON.parse(refusalAnswer("openai", refusal).body.toString()).error;
    const anthropic = JSON.parse(refusalAnswer("anthropic", refusal).body.toString()).error;
    assert.deepEqual(
      [openai.type, openai.code, anthropic.type],
      [openaiType, openaiCode, anthropicType],
    );
  });
}

test("a refusal that a field caused names it, in the message too", () => {
  const refusal: Refusal = {
    ...unpaid,
    reason: "INVALID_ARGUMENT",
    httpStatus: 400,
    message: "Not valid.",
    metadata: { field: "n", detail: "must be a whole number from 1 to 128" },
  };
  const { error } = JSON.parse(refusalAnswer("openai", refusal).body.toString());
  assert.deepEqual(
    [error.param, error.message, error.farebox.top_up_url],
    ["n", "Not valid. n: must be a whole number from 1 to 128", undefined],
  );
});

// biome-ignore format: a table is read by column
const retries: [name: string, httpStatus: number, retryAfterMs: number | undefined, want: (string | undefined)[]][] = [
  ["a conflict that cannot pass stops the SDKs from repeating", 409, undefined, ["false", undefined, undefined]],
  ["a quota that does not come back stops the SDKs from repeating", 429, undefined, ["false", undefined, undefined]],
  ["a call in flight says when to come back", 409, 1_500, ["true", "2", "1500"]],
  ["an outage says when to come back", 503, 250, [undefined, "1", "250"]],
];
for (const [name, httpStatus, retryAfterMs, want] of retries) {
  test(name, () => {
    const { headers } = refusalAnswer("openai", { ...unpaid, httpStatus, retryAfterMs });
    assert.deepEqual(
      [headers["x-should-retry"], headers["retry-after"], headers["retry-after-ms"]],
      want,
    );
  });
}

test("a refusal inside a stream is an error event of the dialect", () => {
  const openai = refusalEvent("openai", unpaid).toString();
  const anthropic = refusalEvent("anthropic", unpaid).toString();
  assert.ok(openai.startsWith('data: {"error":{"message":') && openai.endsWith("}\n\n"));
  assert.ok(
    anthropic.startsWith('event: error\ndata: {"type":"error","error":{') &&
      anthropic.endsWith("}\n\n"),
  );
});
