import type { StreamOutcome, StreamReader } from "../domain/stream-reader.ts";
import type { AnswerHead } from "../http/answer-head.ts";

/** How one upstream call went, when nothing more will come of it. */
export type UpstreamAnswer = {
  /**
   * - `complete`: the upstream ended its answer.
   * - `broken`: it never answered, or broke off.
   * - `left`: the client went away, and the upstream was stopped.
   * - `exhausted`: the reservation was used up, and the upstream was stopped.
   */
  readonly end: "complete" | "broken" | "left" | "exhausted";
  /** What broke the connection; for logs. */
  readonly error: Error | undefined;
  /** The request was on its way, so that the upstream may have worked for it. */
  readonly wasSent: boolean;
  /** 0 when the upstream never answered. */
  readonly httpStatus: number;
  readonly head: AnswerHead;
  /** The answer has begun to go to the client; what is left is in `kept`, or in `stream.held`. */
  readonly isPassed: boolean;
  /** A plain answer whole, or the last part of one too large to keep. */
  readonly kept: Buffer;
  /** Body bytes that came. */
  readonly bytes: number;
  /** What was read of a stream; undefined for a plain answer, and with billing off. */
  readonly stream: EndedStream | undefined;
  /** Monotonic time of a stream's first part. */
  readonly firstPartMs: number | undefined;
};

/** A stream that nothing more will come of. */
export type EndedStream = {
  readonly reader: StreamReader;
  /** The bytes still owed to the client: the provider's end marker, or its error. */
  readonly held: Buffer;
  readonly outcome: StreamOutcome;
};
