import { faultModels } from "../fault-catalogue.ts";
import type { CallRecord, CallWish } from "../make-call.ts";

/** One kind of call, with all that is the same in every call of the kind made ready. */
export type CallShape = {
  readonly path: string;
  readonly body: Buffer;
  /** The demo upstream's scenario words. */
  readonly scenario: string;
  readonly isStream: boolean;
  /** Whether the client goes when the first part of the answer is there. */
  readonly leaves: boolean;
  /** What the last event of a stream says. */
  readonly endMark: string;
  /** What stands before the text of each chunk of a stream. */
  readonly chunkMark: string;
};

type Share = Pick<CallWish, "dialect" | "isStream" | "scenario"> & {
  /** Calls of this kind among a hundred. */
  readonly percent: number;
  readonly leaves?: boolean;
};

/**
 * Mostly what is answered at once, plain and streamed, so that the load is bounded by the machine and not by waiting; a few
 * slow streams, so that every fault finds some under way; providers that break and refuse; clients that leave.
 */
const shares: readonly Share[] = [
  { percent: 42, scenario: "ok" },
  { percent: 16, scenario: "cached=50,reasoning=7" },
  { percent: 11, scenario: "output=31" },
  { percent: 14, dialect: "anthropic", scenario: "cached=40,cache-write=20" },
  { percent: 6, isStream: true, scenario: "output=12,chunks=6,burst" },
  { percent: 3, isStream: true, scenario: "output=9,chunks=5,cached=30" },
  { percent: 2, dialect: "anthropic", isStream: true, scenario: "output=10,chunks=5" },
  { percent: 2, isStream: true, scenario: "output=40,chunks=20,gap=20" },
  { percent: 1, isStream: true, scenario: "output=40,chunks=20,gap=10", leaves: true },
  { percent: 1, isStream: true, scenario: "output=30,chunks=15,cut-before-usage=4" },
  { percent: 1, scenario: "cut-before-first-byte" },
  { percent: 1, scenario: "429" },
];

/** A hundred shapes: picking one at random picks each kind as often as it is to be. */
export const callShapes: readonly CallShape[] = shares.flatMap((share) =>
  Array.from({ length: share.percent }, () => shapeOf(share)),
);

function shapeOf({ dialect = "openai", isStream = false, scenario = "ok", leaves }: Share) {
  const isAnthropic = dialect === "anthropic";
  const usage = isStream && !isAnthropic ? { stream_options: { include_usage: true } } : {};
  const body = {
    model: faultModels[dialect],
    messages: [{ role: "user", content: "How far is it to the sea?" }],
    max_tokens: 64,
    ...(isStream ? { stream: true, ...usage } : {}),
  };
  return {
    path: isAnthropic ? "/v1/messages" : "/v1/chat/completions",
    body: Buffer.from(JSON.stringify(body)),
    ...{ scenario, isStream, leaves: leaves ?? false },
    endMark: isAnthropic ? "event: message_stop" : "data: [DONE]",
    chunkMark: isAnthropic ? '"text_delta","text":"' : '"delta":{"content":"',
  } satisfies CallShape;
}

/** What has arrived of an answer. */
export type Arrived = {
  /** 0 when nothing did. */
  readonly status: number;
  readonly requestId: string;
  readonly cost: string | undefined;
  readonly body: string;
  /** Whether the connection ended as HTTP says that the answer ends. */
  readonly isEnded: boolean;
};

/** Says how a call ended for its client. */
export function recordOf(shape: CallShape, accountId: string, arrived: Arrived): CallRecord {
  const { status, requestId, cost, body, isEnded } = arrived;
  const isAnswered = status === 200;
  const isStreaming = shape.isStream && isAnswered;
  const isWhole = isEnded && (!isStreaming || body.includes(shape.endMark));
  return {
    ...{ accountId, requestId, status, cost, isStream: shape.isStream },
    upstreamId: isStreaming || isWhole ? idOf(body) : "",
    end: !isWhole ? "broken" : isAnswered ? "complete" : "refused",
    chunks: isStreaming ? body.split(shape.chunkMark).length - 1 : Number(isAnswered && isWhole),
    refusal: isAnswered ? "" : body,
  };
}

const idMark = '"id":"';

function idOf(body: string): string {
  const at = body.indexOf(idMark);
  if (at < 0) return "";
  const start = at + idMark.length;
  const end = body.indexOf('"', start);
  return end < 0 ? "" : body.slice(start, end);
}
