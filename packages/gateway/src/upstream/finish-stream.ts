import type { Dialect } from "../domain/call.ts";
import type { StreamContent } from "../domain/stream-content.ts";

/** Why and where a stream is ended before the provider would have ended it. */
export type StreamCut = {
  /** What the client has been given so far. */
  readonly content: Readonly<StreamContent>;
  /** The model as the client named it, for a stream that had said nothing yet. */
  readonly model: string;
  /** The reason's name, for example INSUFFICIENT_BALANCE. */
  readonly reason: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The client asked for the usage chunk of an OpenAI stream. */
  readonly includeUsage: boolean;
  /** Seconds since 1970, for a stream that had said nothing yet. */
  readonly nowSec: number;
};

/**
 * The events that end a stream whose grant has run out, in the provider's own finish shape: what the client would have seen
 * had the model met its output limit. Clients need nothing new to understand it; `farebox.reason` says what limit that was.
 * Whole events: send them after whole events.
 */
export function finishStream(dialect: Dialect, cut: StreamCut): Buffer {
  return Buffer.from(dialect === "openai" ? finishOpenai(cut) : finishAnthropic(cut));
}

function finishOpenai(cut: StreamCut): string {
  const { content } = cut;
  const frame = {
    id: content.id ?? "chatcmpl-farebox",
    object: "chat.completion.chunk",
    created: content.createdSec ?? cut.nowSec,
    model: content.model ?? cut.model,
  };
  const open = content.open.size > 0 ? [...content.open] : [0];
  // OpenAI's SDK wants to know who spoke, even when nothing was said.
  const delta = content.id === undefined ? { role: "assistant", content: "" } : {};
  const finish = {
    ...frame,
    choices: open.map((index) => ({ index, delta, logprobs: null, finish_reason: "length" })),
    farebox: { reason: cut.reason },
  };
  const usage = {
    ...frame,
    choices: [],
    usage: {
      prompt_tokens: cut.inputTokens,
      completion_tokens: cut.outputTokens,
      total_tokens: cut.inputTokens + cut.outputTokens,
    },
  };
  const chunks = cut.includeUsage ? [finish, usage] : [finish];
  return `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("")}data: [DONE]\n\n`;
}

function finishAnthropic(cut: StreamCut): string {
  const { content } = cut;
  const stops = [...content.open].map((index) => ({ type: "content_block_stop", index }));
  const delta = {
    type: "message_delta",
    delta: { stop_reason: "max_tokens", stop_sequence: null },
    usage: { output_tokens: cut.outputTokens },
    farebox: { reason: cut.reason },
  };
  const start = content.id === undefined ? [messageStart(cut)] : [];
  return [...start, ...stops, delta, { type: "message_stop" }]
    .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join("");
}

/** Anthropic's SDK refuses a stream that ends before it started. */
function messageStart(cut: StreamCut): { readonly type: string; readonly message: object } {
  const message = {
    id: "msg_farebox",
    type: "message",
    role: "assistant",
    model: cut.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: cut.inputTokens, output_tokens: 0 },
  };
  return { type: "message_start", message };
}
