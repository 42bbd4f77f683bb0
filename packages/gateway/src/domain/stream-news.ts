import { mergeAnthropicUsage, readAnthropicUsage } from "./anthropic-usage.ts";
import type { Dialect } from "./call.ts";
import { type JsonObject, listOf, objectOf, parseJson, textOf } from "./json-value.ts";
import { readOpenaiUsage } from "./openai-usage.ts";
import { ssePayloads } from "./sse-event.ts";
import { holdsNews } from "./stream-sense.ts";
import { missingUsage, type UsageReport } from "./usage-report.ts";

/** What the events of a stream have told the gateway so far, beside what they told the client. */
export type StreamNews = {
  readonly dialect: Dialect;
  /** The last usage stated, in the provider's own shape. */
  rawUsage: unknown;
  /** The usage is the provider's last word, not a count on the way. */
  isUsageFinal: boolean;
  /** The end marker was seen. */
  ended: boolean;
  error: StreamError | undefined;
  upstreamId: string | undefined;
};

/** An error inside a stream, in the provider's words: never billed as output. */
export type StreamError = { readonly type: string | undefined; readonly message: string };

/**
 * What an event is to the gateway: `usage` carries nothing but an OpenAI usage; `last` is the end marker or an error, behind
 * which nothing the client waits for can come; everything else is `content`.
 */
export type EventKind = "content" | "usage" | "last";

/** Makes the news of a stream that has not begun. */
export function createStreamNews(dialect: Dialect): StreamNews {
  return {
    dialect,
    rawUsage: undefined,
    isUsageFinal: false,
    ended: false,
    error: undefined,
    upstreamId: undefined,
  };
}

/** Reads what matters of one whole event into the news. An event that is no JSON is content. */
export function readNews(news: StreamNews, event: Buffer): EventKind {
  if (!holdsNews(event)) return "content";
  const [data] = ssePayloads(event);
  if (data === undefined) return "content";
  if (data.trim() === "[DONE]") {
    news.ended = true;
    return "last";
  }
  const root = objectOf(parseJson(data));
  if (root === undefined) return "content";
  return news.dialect === "openai" ? readOpenaiNews(news, root) : readAnthropicNews(news, root);
}

/** The usage report that the news amount to. */
export function reportUsage(news: StreamNews): UsageReport {
  if (news.rawUsage === undefined) return missingUsage;
  const isOpenai = news.dialect === "openai";
  const read = isOpenai ? readOpenaiUsage(news.rawUsage) : readAnthropicUsage(news.rawUsage);
  const isFinal = news.isUsageFinal || news.ended;
  return read.kind === "reported" && !isFinal ? { ...read, kind: "partial" } : read;
}

function readOpenaiNews(news: StreamNews, root: JsonObject): EventKind {
  const choices = listOf(root.choices);
  const usage = objectOf(root.usage) ?? objectOf(objectOf(root.x_groq)?.usage);
  if (usage !== undefined) {
    news.rawUsage = usage;
    // Some providers count along in every chunk; the last word comes with a finish, or in a chunk of its own.
    news.isUsageFinal = choices.every((it) => textOf(objectOf(it)?.finish_reason) !== undefined);
    news.upstreamId ??= textOf(root.id);
  }
  if (noteError(news, root.error)) return "last";
  return usage !== undefined && choices.length === 0 ? "usage" : "content";
}

function readAnthropicNews(news: StreamNews, root: JsonObject): EventKind {
  switch (root.type) {
    case "message_start": {
      const message = objectOf(root.message);
      news.rawUsage = mergeAnthropicUsage(news.rawUsage, message?.usage);
      news.upstreamId ??= textOf(message?.id);
      return "content";
    }
    case "message_delta": {
      const usage = objectOf(root.usage);
      news.rawUsage = mergeAnthropicUsage(news.rawUsage, usage);
      if (typeof usage?.output_tokens === "number") news.isUsageFinal = true;
      return "content";
    }
    case "error":
      return noteError(news, root.error) ? "last" : "content";
    case "message_stop":
      news.ended = true;
      return "last";
    default:
      return "content";
  }
}

function noteError(news: StreamNews, value: unknown): boolean {
  if (value === undefined || value === null) return false;
  const error = objectOf(value);
  const message = textOf(error?.message) ?? textOf(value) ?? "";
  const type = textOf(error?.type) ?? textOf(error?.code);
  news.error ??= { type, message: message.slice(0, errorCharsMax) };
  return true;
}

const errorCharsMax = 500;
