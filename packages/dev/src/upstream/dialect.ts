import type { Demand } from "./demand.ts";
import type { DemoAnswer } from "./demo-usage.ts";

/** One answer about to be written. */
export type Reply = {
  readonly id: string;
  /** Unix time in seconds. */
  readonly createdSeconds: number;
  readonly demand: Demand;
  readonly answer: DemoAnswer;
};

/** The server-sent events of a stream, each a whole event with its blank line, in the order of these fields. */
export type StreamPlan = {
  readonly opening: readonly string[];
  /** One per content chunk. */
  readonly deltas: readonly string[];
  readonly closing: readonly string[];
  /** The events that complete the usage; empty when it is not asked for or left out. */
  readonly usage: readonly string[];
  readonly done: readonly string[];
};

/** How one provider writes its answers. A further endpoint is a further dialect with its own path. */
export type Dialect = {
  readonly name: "openai" | "anthropic";
  readonly path: string;
  /** The response header that carries the request's id. */
  readonly idHeader: string;
  newId(serial: string): string;
  plain(reply: Reply): string;
  stream(reply: Reply): StreamPlan;
  /** The body of an error answer. */
  error(status: number, message: string): string;
  /** An error inside a stream that began with status 200. */
  errorEvent(message: string): string;
};

/** Splits an answer's tokens into content chunks: pairs of first token and the one after the last. */
export function chunkBounds(reply: Reply): [from: number, to: number][] {
  const tokens = reply.answer.visibleTokens;
  // One token a chunk as providers do, coarser for long answers, so that the huge one is not bound by chunking alone.
  const usual = Math.min(tokens, Math.max(64, Math.ceil(tokens / 4)));
  const chunks = Math.min(Math.max(reply.demand.scenario.chunks ?? usual, 1), Math.max(tokens, 1));
  return Array.from({ length: chunks }, (_, i) => [
    Math.floor((i * tokens) / chunks),
    Math.floor(((i + 1) * tokens) / chunks),
  ]);
}
