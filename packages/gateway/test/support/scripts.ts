import type { Dialect } from "../../src/domain/call.ts";
import type { Script } from "./scripted-upstream.ts";

/** What the upstream counts for every complete answer. */
export const promptTokens = 40;
export const answerTokens = 6;
const words = ["The ", "fare ", "is ", "paid."];

/** The events of a whole stream, so that a test can stop between any two. */
export function streamEvents(
  dialect: Dialect,
  options: { readonly usage?: object | null } = {},
): readonly string[] {
  return dialect === "openai" ? openaiEvents(options) : anthropicEvents(options);
}

/** The body of a whole plain answer. */
export function plainBody(dialect: Dialect, usage?: object | null): string {
  const text = words.join("");
  const stated = usage === undefined ? wholeUsage(dialect) : usage;
  const tail = stated === null ? {} : { usage: stated };
  return JSON.stringify(
    dialect === "openai"
      ? {
          id: "chatcmpl-1",
          object: "chat.completion",
          model: "gpt-4o-test",
          choices: [
            { index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" },
          ],
          ...tail,
        }
      : {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: "gpt-4o-test",
          content: [{ type: "text", text }],
          stop_reason: "end_turn",
          ...tail,
        },
  );
}

/** Answers a whole body. */
export function sendPlain(body: string | Buffer, status = 200, type = "application/json"): Script {
  return (res) => {
    res.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
    res.end(body);
  };
}

/** Answers events, each in its own write, then ends, breaks off, or leaves the connection open. */
export function sendEvents(
  events: readonly string[],
  then: "end" | "cut" | "hang" = "end",
): Script {
  return async (res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of events) {
      if (res.destroyed) return;
      await new Promise<void>((resolve) => res.write(event, () => resolve()));
    }
    if (then === "end") res.end();
    if (then === "cut") res.destroy();
  };
}

function wholeUsage(dialect: Dialect): object {
  return dialect === "openai"
    ? {
        prompt_tokens: promptTokens,
        completion_tokens: answerTokens,
        total_tokens: promptTokens + answerTokens,
      }
    : { input_tokens: promptTokens, output_tokens: answerTokens };
}

function openaiEvents({ usage }: { readonly usage?: object | null }): readonly string[] {
  const frame = {
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model: "gpt-4o-test",
  };
  const chunk = (rest: object) => `data: ${JSON.stringify({ ...frame, ...rest })}\n\n`;
  const stated = usage === undefined ? wholeUsage("openai") : usage;
  return [
    ...words.map((content) =>
      chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }),
    ),
    chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
    ...(stated === null ? [] : [chunk({ choices: [], usage: stated })]),
    "data: [DONE]\n\n",
  ];
}

function anthropicEvents({ usage }: { readonly usage?: object | null }): readonly string[] {
  const event = (data: { readonly type: string; readonly [member: string]: unknown }) =>
    `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
  const start = usage === null ? {} : { usage: { input_tokens: promptTokens, output_tokens: 1 } };
  const end = usage === undefined ? { usage: { output_tokens: answerTokens } } : (usage ?? {});
  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "gpt-4o-test",
    content: [],
    ...start,
  };
  return [
    event({ type: "message_start", message }),
    event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
    ...words.map((text) =>
      event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }),
    ),
    event({ type: "content_block_stop", index: 0 }),
    event({ type: "message_delta", delta: { stop_reason: "end_turn" }, ...end }),
    event({ type: "message_stop" }),
  ];
}
