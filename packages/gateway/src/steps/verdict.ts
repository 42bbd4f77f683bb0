import type { Reason } from "@farebox/kit/reasons";
import { noUsage, type Usage } from "@farebox/pricing/usage";
import { answerContent } from "../domain/answer-content.ts";
import type { Dialect, ParsedCall } from "../domain/call.ts";
import { parseCutJson } from "../domain/cut-json.ts";
import { type Delivered, estimateUsage } from "../domain/estimate.ts";
import { objectOf, parseJson } from "../domain/json-value.ts";
import type { Tokenizers } from "../domain/tokenizers.ts";
import type { UsageReport } from "../domain/usage-report.ts";
import type { AttemptOutcome } from "../interceptor/billed-call.ts";
import { readLastPart } from "./read-last-part.ts";
import { readPlainAnswer } from "./read-plain-answer.ts";
import type { EndedStream, UpstreamAnswer } from "./upstream-answer.ts";

/** What an attempt consumed and how it ended: the part of an outcome that is charged. */
export type Verdict = Pick<
  AttemptOutcome,
  "state" | "usage" | "usageSource" | "providerCostNanos" | "upstreamId" | "errorReason"
> & {
  /** The provider stated a usage that cannot be true; why. */
  readonly malformed: string | undefined;
};

/** The rules of docs/request-path.md, "What is charged when things go wrong", for one answer. */
export function verdictOf(
  tokenizers: Tokenizers,
  call: ParsedCall,
  answer: UpstreamAnswer,
): Verdict {
  if (answer.stream !== undefined) return streamVerdict(tokenizers, call, answer, answer.stream);
  if (answer.end === "left") return leftBeforeAnswer(tokenizers, call, answer);
  if (answer.isPassed) return largeVerdict(tokenizers, call, answer);
  if (answer.end === "broken") return nothing("failed", "UPSTREAM_UNAVAILABLE");
  return plainVerdict(tokenizers, call, answer);
}

function plainVerdict(tokenizers: Tokenizers, call: ParsedCall, answer: UpstreamAnswer): Verdict {
  const { kept, httpStatus } = answer;
  const { usage: report, upstreamId, isOrdinary } = readPlainAnswer(call.dialect, kept);
  const isError = httpStatus < 200 || httpStatus > 299 || (!isOrdinary && isErrorBody(kept));
  if (report.kind === "reported" || report.kind === "partial") {
    return {
      ...reported(report, upstreamId, "provider"),
      state: isError ? "failed" : "succeeded",
      errorReason: isError ? "UPSTREAM_UNAVAILABLE" : undefined,
    };
  }
  if (isError || kept.length === 0) {
    return { ...nothing("failed", "UPSTREAM_UNAVAILABLE"), upstreamId: upstreamId ?? "" };
  }
  const { isWhole, delivered } = deliveredBy(call.dialect, kept);
  return {
    state: isWhole ? "succeeded" : "failed",
    usage: estimateUsage(tokenizers, { call, delivered }),
    usageSource: "estimated",
    providerCostNanos: undefined,
    upstreamId: upstreamId ?? "",
    errorReason: isWhole ? undefined : "UPSTREAM_UNAVAILABLE",
    malformed: report.kind === "malformed" ? report.why : undefined,
  };
}

/** What an answer without a usage delivered. One that was cut inside its JSON delivered the texts that stand in it. */
function deliveredBy(dialect: Dialect, body: Buffer): { isWhole: boolean; delivered: Delivered } {
  const text = body.toString("utf8");
  const whole = objectOf(parseJson(text));
  const root = whole ?? objectOf(parseCutJson(text));
  // What is no JSON at all still went to the client: its text as it stands is what was delivered.
  const delivered =
    root === undefined ? { pieces: [text], textBytes: body.length } : answerContent(dialect, root);
  return { isWhole: whole !== undefined, delivered };
}

function streamVerdict(
  tokenizers: Tokenizers,
  call: ParsedCall,
  answer: UpstreamAnswer,
  { reader, outcome }: EndedStream,
): Verdict {
  const isWhole = answer.end === "complete" && outcome.error === undefined;
  const isDone = isWhole && (outcome.ended || outcome.finish !== undefined);
  const state = streamState(answer, isDone);
  const errorReason = streamReason(answer, isDone);
  const upstreamId = outcome.upstreamId;
  const report = outcome.usage;
  if (report.kind === "reported") {
    return { ...reported(report, upstreamId, "provider"), state, errorReason };
  }
  const delivered = reader.content();
  // Before any token, a break is the provider's loss; a client that leaves then has still had its prompt read.
  if (delivered.textBytes === 0 && state === "failed") {
    return { ...nothing("failed", errorReason), upstreamId: upstreamId ?? "" };
  }
  const known = report.kind === "partial" ? report.usage : undefined;
  return {
    state,
    usage: estimateUsage(
      tokenizers,
      known === undefined ? { call, delivered } : { call, delivered, known },
    ),
    usageSource: known === undefined ? "estimated" : "partial",
    providerCostNanos: undefined,
    upstreamId: upstreamId ?? "",
    errorReason,
    malformed: report.kind === "malformed" ? report.why : undefined,
  };
}

/** A plain answer too large to keep: its usage stands in its last part, or is not read at all. */
function largeVerdict(tokenizers: Tokenizers, call: ParsedCall, answer: UpstreamAnswer): Verdict {
  const isWhole = answer.end === "complete";
  const state = isWhole ? "succeeded" : "failed";
  const errorReason = isWhole ? undefined : "UPSTREAM_UNAVAILABLE";
  const report = isWhole ? readLastPart(call.dialect, answer.kept) : undefined;
  if (report?.kind === "reported") {
    return { ...reported(report, undefined, "provider"), state, errorReason };
  }
  return {
    ...nothing(state, errorReason),
    // Megabytes in one answer are media, which no tokenizer counts: the prompt is charged, the rest is not guessed.
    usage: estimateUsage(tokenizers, { call, delivered: { pieces: [], textBytes: 0 } }),
    usageSource: "estimated",
  };
}

/** The client left a plain call, or a stream that had not begun. The upstream may have read the prompt by then. */
function leftBeforeAnswer(
  tokenizers: Tokenizers,
  call: ParsedCall,
  answer: UpstreamAnswer,
): Verdict {
  const left = nothing("cancelled", "CLIENT_CLOSED");
  if (!answer.wasSent || answer.httpStatus >= 300) return left;
  const delivered = { pieces: [], textBytes: 0 };
  return {
    ...left,
    usage: estimateUsage(tokenizers, { call, delivered }),
    usageSource: "estimated",
  };
}

function streamState(answer: UpstreamAnswer, isDone: boolean): Verdict["state"] {
  if (answer.end === "left") return "cancelled";
  return isDone || answer.end === "exhausted" ? "succeeded" : "failed";
}

function streamReason(answer: UpstreamAnswer, isDone: boolean): Reason | undefined {
  if (answer.end === "left") return "CLIENT_CLOSED";
  if (answer.end === "exhausted") return "INSUFFICIENT_BALANCE";
  return isDone ? undefined : "UPSTREAM_UNAVAILABLE";
}

/** What nothing was consumed by. */
export function nothing(state: Verdict["state"], errorReason: Reason | undefined): Verdict {
  return {
    state,
    usage: noUsage,
    usageSource: "none",
    providerCostNanos: undefined,
    upstreamId: "",
    errorReason,
    malformed: undefined,
  };
}

function reported(
  report: Extract<UsageReport, { usage: Usage }>,
  upstreamId: string | undefined,
  usageSource: "provider",
): Omit<Verdict, "state" | "errorReason"> {
  const { usage, providerCostNanos } = report;
  return {
    usage,
    usageSource,
    providerCostNanos,
    upstreamId: upstreamId ?? "",
    malformed: undefined,
  };
}

/** A 200 that is an error all the same, cut or whole. Looked for only where the word stands. */
function isErrorBody(body: Buffer): boolean {
  if (!body.includes('"error"')) return false;
  const text = body.toString("latin1");
  const root = objectOf(parseJson(text) ?? parseCutJson(text));
  const error = root?.error;
  return error !== undefined && error !== null && error !== false;
}
