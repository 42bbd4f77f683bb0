import { demoText } from "./demo-text.ts";
import type { DemoUsage } from "./demo-usage.ts";
import { chunkBounds, type Dialect, type Reply, type StreamPlan } from "./dialect.ts";

/** Anthropic's messages. Input excludes what was read from or written to the cache; output includes thinking. */
export const anthropicDialect: Dialect = {
  name: "anthropic",
  path: "/v1/messages",
  idHeader: "request-id",
  newId: (serial) => `msg_demo${serial}`,
  plain,
  stream,
  error: (status, message) => errorBody(errorType(status), message),
  errorEvent: (message) => event("error", errorBody("overloaded_error", message)),
};

const finishes = {
  stop: "end_turn",
  length: "max_tokens",
  "stop-sequence": "stop_sequence",
} as const;
const signature = Buffer.from("demo").toString("base64");
const thought = "Thinking it over.";

function plain(reply: Reply): string {
  const { reported, consumed, finish, visibleTokens } = reply.answer;
  const thinking =
    consumed.reasoningTokens === 0
      ? ""
      : `{"type":"thinking","thinking":"${thought}","signature":"${signature}"},`;
  const usage = reported === undefined ? "" : `,"usage":${usageJson(reported, false)}`;
  return (
    `${envelope(reply)},"content":[${thinking}{"type":"text","text":"${demoText(0, visibleTokens)}"}],` +
    `"stop_reason":"${finishes[finish]}","stop_sequence":${stopSequence(reply)}${usage}}`
  );
}

function stream(reply: Reply): StreamPlan {
  const { reported, consumed, finish } = reply.answer;
  const index = consumed.reasoningTokens === 0 ? 0 : 1;
  const message = `${envelope(reply)},"content":[],"stop_reason":null,"stop_sequence":null`;
  const opened = reported === undefined ? "" : `,"usage":${usageJson(reported, true)}`;
  const ended = `"delta":{"stop_reason":"${finishes[finish]}","stop_sequence":${stopSequence(reply)}}`;
  const last = reported === undefined ? "" : `,"usage":${usageJson(reported, false)}`;
  const completion = event("message_delta", `{"type":"message_delta",${ended}${last}}`);
  return {
    opening: [
      event("message_start", `{"type":"message_start","message":${message}${opened}}}`),
      ...(index === 0 ? [] : thinkingBlock()),
      blockEvent("start", index, `"content_block":{"type":"text","text":""}`),
      event("ping", `{"type":"ping"}`),
    ],
    deltas: chunkBounds(reply).map(([from, to]) =>
      blockEvent("delta", index, `"delta":{"type":"text_delta","text":"${demoText(from, to)}"}`),
    ),
    closing: [blockEvent("stop", index), ...(reported === undefined ? [completion] : [])],
    usage: reported === undefined ? [] : [completion],
    done: [event("message_stop", `{"type":"message_stop"}`)],
  };
}

function thinkingBlock(): string[] {
  return [
    blockEvent("start", 0, `"content_block":{"type":"thinking","thinking":"","signature":""}`),
    blockEvent("delta", 0, `"delta":{"type":"thinking_delta","thinking":"${thought}"}`),
    blockEvent("delta", 0, `"delta":{"type":"signature_delta","signature":"${signature}"}`),
    blockEvent("stop", 0),
  ];
}

function blockEvent(kind: "start" | "delta" | "stop", index: number, rest?: string): string {
  const type = `content_block_${kind}`;
  return event(type, `{"type":"${type}","index":${index}${rest === undefined ? "" : `,${rest}`}}`);
}

function event(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}

function envelope(reply: Reply): string {
  return `{"id":"${reply.id}","type":"message","role":"assistant","model":${JSON.stringify(reply.demand.model)}`;
}

function stopSequence(reply: Reply): string {
  const { answer, demand } = reply;
  if (answer.finish !== "stop-sequence") return "null";
  const rest = demoText(answer.visibleTokens, answer.visibleTokens + 64);
  return JSON.stringify(demand.stops.find((stop) => rest.includes(stop)) ?? null);
}

/** Usage as reported: at the start of a stream with the one token begun, at its end cumulative. */
function usageJson(usage: DemoUsage, isStart: boolean): string {
  const output = usage.outputTokens + usage.reasoningTokens;
  const details =
    isStart || usage.reasoningTokens === 0
      ? ""
      : `,"output_tokens_details":{"thinking_tokens":${usage.reasoningTokens}}`;
  return (
    `{"input_tokens":${usage.inputTokens},` +
    `"cache_creation_input_tokens":${usage.cacheWriteTokens + usage.cacheWrite1hTokens},` +
    `"cache_read_input_tokens":${usage.cacheReadTokens},` +
    `"cache_creation":{"ephemeral_5m_input_tokens":${usage.cacheWriteTokens},` +
    `"ephemeral_1h_input_tokens":${usage.cacheWrite1hTokens}},` +
    `"output_tokens":${isStart ? Math.min(1, output) : output}${details},"service_tier":"standard"}`
  );
}

function errorBody(type: string, message: string): string {
  return JSON.stringify({ type: "error", error: { type, message } });
}

function errorType(status: number): string {
  const types: Readonly<Record<number, string>> = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
  };
  return types[status] ?? "api_error";
}
