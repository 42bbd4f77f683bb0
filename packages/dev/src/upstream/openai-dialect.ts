import { demoText } from "./demo-text.ts";
import type { DemoUsage } from "./demo-usage.ts";
import { chunkBounds, type Dialect, type Reply, type StreamPlan } from "./dialect.ts";

/** OpenAI's chat completions. Cached tokens are counted inside the prompt, reasoning inside the completion. */
export const openaiDialect: Dialect = {
  name: "openai",
  path: "/v1/chat/completions",
  idHeader: "x-request-id",
  newId: (serial) => `chatcmpl-demo${serial}`,
  plain,
  stream,
  error: (status, message) => errorBody(status, message),
  errorEvent: (message) => `data: ${errorBody(500, message)}\n\n`,
};

const finishes = { stop: "stop", length: "length", "stop-sequence": "stop" } as const;

function plain(reply: Reply): string {
  const content = demoText(0, reply.answer.visibleTokens);
  const end = `","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"${finishes[reply.answer.finish]}"}`;
  let choices = "";
  for (let index = 0; index < reply.demand.choices; index++) {
    choices += `${index === 0 ? "" : ","}{"index":${index},"message":{"role":"assistant","content":"${content}${end}`;
  }
  const { reported } = reply.answer;
  const usage = reported === undefined ? "" : `,"usage":${usageJson(reported)}`;
  return `${envelope(reply, "chat.completion")},"choices":[${choices}]${usage}}`;
}

function stream(reply: Reply): StreamPlan {
  const { demand, answer } = reply;
  const head = `data: ${envelope(reply, "chat.completion.chunk")},"choices":[`;
  // With include_usage every chunk but the last says so explicitly.
  const tail = demand.includesUsage ? `],"usage":null}\n\n` : "]}\n\n";
  const indexes = Array.from({ length: demand.choices }, (_, index) => index);
  const chunk = (index: number, delta: string, finish: string) =>
    `${head}{"index":${index},"delta":${delta},"logprobs":null,"finish_reason":${finish}}${tail}`;
  const { reported } = answer;
  const sendsUsage = demand.includesUsage && reported !== undefined;
  return {
    opening: indexes.map((i) =>
      chunk(i, `{"role":"assistant","content":"","refusal":null}`, "null"),
    ),
    deltas: chunkBounds(reply).flatMap(([from, to]) =>
      indexes.map((i) => chunk(i, `{"content":"${demoText(from, to)}"}`, "null")),
    ),
    closing: indexes.map((i) => chunk(i, "{}", `"${finishes[answer.finish]}"`)),
    usage: sendsUsage ? [`${head}],"usage":${usageJson(reported)}}\n\n`] : [],
    done: ["data: [DONE]\n\n"],
  };
}

function envelope(reply: Reply, object: string): string {
  const { id, createdSeconds, demand } = reply;
  return `{"id":"${id}","object":"${object}","created":${createdSeconds},"model":${JSON.stringify(demand.model)},"service_tier":"default","system_fingerprint":"fp_demo"`;
}

function usageJson(usage: DemoUsage): string {
  const written = usage.cacheWriteTokens + usage.cacheWrite1hTokens;
  const prompt = usage.inputTokens + usage.cacheReadTokens + written;
  const completion = usage.outputTokens + usage.reasoningTokens;
  const writes = written === 0 ? "" : `,"cache_write_tokens":${written}`;
  return (
    `{"prompt_tokens":${prompt},"completion_tokens":${completion},"total_tokens":${prompt + completion},` +
    `"prompt_tokens_details":{"cached_tokens":${usage.cacheReadTokens},"audio_tokens":0${writes}},` +
    `"completion_tokens_details":{"reasoning_tokens":${usage.reasoningTokens},"audio_tokens":0,` +
    `"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`
  );
}

function errorBody(status: number, message: string): string {
  const [type, code] =
    status === 429
      ? ["rate_limit_error", "rate_limit_exceeded"]
      : status >= 500
        ? ["server_error", null]
        : ["invalid_request_error", status === 401 ? "invalid_api_key" : null];
  return JSON.stringify({ error: { message, type, param: null, code } });
}
