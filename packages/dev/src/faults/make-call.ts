import { Agent } from "undici";
import { faultModels } from "./fault-catalogue.ts";

/** A call as its client saw it. */
export type CallRecord = {
  readonly accountId: string;
  /** From the answer's head; empty when there was none. */
  readonly requestId: string;
  /** The provider's id in the answer; empty when none arrived. */
  readonly upstreamId: string;
  /** 0 when no answer arrived. */
  readonly status: number;
  /** `complete`: the last byte of a 200; `refused`: another whole answer; `broken`: anything less. */
  readonly end: "complete" | "refused" | "broken";
  readonly isStream: boolean;
  /** Content chunks, or 1 for a whole plain answer. */
  readonly chunks: number;
  /** As `x-farebox-cost` said; undefined for streams. */
  readonly cost: string | undefined;
  /** The body of a refusal. */
  readonly refusal: string;
};

/** What to ask for. */
export type CallWish = {
  readonly gatewayUrl: string;
  readonly accountId: string;
  readonly apiKey: string;
  /** OpenAI's chat completions unless it is "anthropic": messages. */
  readonly dialect?: keyof typeof faultModels;
  readonly isStream?: boolean;
  /** Leaves after so many content chunks of a stream. */
  readonly leavesAfterChunks?: number;
  /** The demo upstream's scenario words. */
  readonly scenario?: string;
  readonly maxTokens?: number;
  readonly prompt?: string;
  /** Sent as x-request-id. */
  readonly requestId?: string;
  /** Called with the number of content chunks so far. */
  readonly onChunk?: (chunks: number) => void;
};

/** Connections of a test's clients. */
export function openClients(connectionsMax = 1_000): Agent {
  return new Agent({
    connections: connectionsMax,
    headersTimeout: callMsMax,
    bodyTimeout: callMsMax,
    connect: { timeout: 5_000 },
  });
}

const callMsMax = 60_000;

/** Makes one call as a client would, once, and says how it ended. Never throws. */
export async function makeCall(agent: Agent, wish: CallWish): Promise<CallRecord> {
  const leaving = new AbortController();
  const seen = new Seen(wish, () => leaving.abort());
  try {
    const answer = await agent.request({
      origin: wish.gatewayUrl,
      path: wish.dialect === "anthropic" ? "/v1/messages" : "/v1/chat/completions",
      method: "POST",
      headers: {
        authorization: `Bearer ${wish.apiKey}`,
        "content-type": "application/json",
        ...(wish.scenario === undefined ? {} : { "x-demo-scenario": wish.scenario }),
        ...(wish.requestId === undefined ? {} : { "x-request-id": wish.requestId }),
      },
      body: JSON.stringify(bodyOf(wish)),
      signal: leaving.signal,
    });
    seen.head(answer.statusCode, answer.headers);
    answer.body.setEncoding("utf8");
    for await (const part of answer.body) seen.part(String(part));
    return seen.record(true);
  } catch {
    return seen.record(false);
  }
}

function bodyOf(wish: CallWish): object {
  const { dialect = "openai", isStream = false } = wish;
  const options = dialect === "openai" ? { stream_options: { include_usage: true } } : {};
  return {
    model: faultModels[dialect],
    messages: [{ role: "user", content: wish.prompt ?? "How far is it to the sea?" }],
    max_tokens: wish.maxTokens ?? 64,
    ...(isStream ? { stream: true, ...options } : {}),
  };
}

/** How a stream says that it has content, and that it has ended. */
const marks = {
  openai: { chunk: /"delta":\{"content":"[^"]/g, end: "data: [DONE]" },
  anthropic: { chunk: /"text_delta","text":"[^"]/g, end: "event: message_stop" },
} as const;

/** What has arrived of an answer so far. */
class Seen {
  readonly #wish: CallWish;
  readonly #leave: () => void;
  #status = 0;
  #requestId = "";
  #cost: string | undefined;
  #body = "";
  #upstreamId = "";
  #chunks = 0;

  constructor(wish: CallWish, leave: () => void) {
    this.#wish = wish;
    this.#leave = leave;
  }

  head(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    this.#status = status;
    this.#requestId = String(headers["x-farebox-request-id"] ?? "");
    this.#cost = headers["x-farebox-cost"]?.toString();
  }

  part(text: string): void {
    this.#body += text;
    if (!this.#isStreaming) return;
    this.#upstreamId ||= /"id":"([^"]+)"/.exec(this.#body)?.[1] ?? "";
    // Events may be cut anywhere: the part after the last blank line waits for the next.
    const end = this.#body.lastIndexOf("\n\n");
    if (end < 0) return;
    const { chunk, end: last } = marks[this.#wish.dialect ?? "openai"];
    const chunks = this.#body.slice(0, end).match(chunk)?.length ?? 0;
    this.#isDone ||= this.#body.includes(last);
    this.#body = this.#body.slice(end);
    if (chunks === 0) return;
    this.#chunks += chunks;
    this.#wish.onChunk?.(this.#chunks);
    if (this.#chunks >= (this.#wish.leavesAfterChunks ?? Number.POSITIVE_INFINITY)) this.#leave();
  }

  record(isEnded: boolean): CallRecord {
    const isWhole = isEnded && (!this.#isStreaming || this.#isDone);
    if (!this.#isStreaming && isWhole) this.#upstreamId = idOf(this.#body);
    const isAnswered = this.#status === 200;
    return {
      accountId: this.#wish.accountId,
      requestId: this.#requestId,
      upstreamId: this.#upstreamId,
      status: this.#status,
      end: !isWhole ? "broken" : isAnswered ? "complete" : "refused",
      isStream: this.#wish.isStream === true,
      chunks: this.#isStreaming ? this.#chunks : Number(isAnswered && isWhole),
      cost: this.#cost,
      refusal: isAnswered ? "" : this.#body,
    };
  }

  #isDone = false;

  get #isStreaming(): boolean {
    return this.#wish.isStream === true && this.#status === 200;
  }
}

function idOf(body: string): string {
  return /"id":"([^"]+)"/.exec(body)?.[1] ?? "";
}
