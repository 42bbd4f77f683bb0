import type { ServerResponse } from "node:http";
import { AppError } from "@farebox/kit/app-error";
import { formatNanos } from "@farebox/kit/money";
import { promptTokens } from "@farebox/pricing/usage";
import { sendAnswer } from "../http/send-answer.ts";
import { type RefusalManner, refusalEventOf, sendRefusal } from "../http/send-refusal.ts";
import { finishStream } from "../upstream/finish-stream.ts";
import type { Arrival } from "./check-quota.ts";
import type { Deduction } from "./deduct-quota.ts";
import type { EndedStream, UpstreamAnswer } from "./upstream-answer.ts";

/** What the last bytes of an answer depend on. */
export type Completion = {
  readonly arrival: Arrival;
  readonly answer: UpstreamAnswer;
  readonly res: ServerResponse;
  /** Undefined with billing off. */
  readonly deduction: Deduction | undefined;
  readonly manner: RefusalManner;
  readonly clock: { nowMs(): number };
};

/** Sends what the client is still owed: a plain answer whole, with its cost, or the end of a stream. */
export function completeAnswer(completion: Completion): void {
  const { res, answer, manner } = completion;
  if (answer.end === "left" || res.destroyed) return;
  if (answer.isPassed) {
    if (answer.stream === undefined) endPassed(res, answer);
    else res.end(lastEvents(completion, answer.stream));
    return;
  }
  if (answer.end === "complete") sendPlain(completion);
  else sendRefusal(res, new AppError("UPSTREAM_UNAVAILABLE"), manner);
}

function sendPlain({ arrival, res, answer, deduction }: Completion): void {
  const headers = answer.head.passed;
  headers.push("x-farebox-request-id", arrival.requestId);
  if (deduction !== undefined) {
    headers.push("x-farebox-cost", formatNanos(deduction.receipt.costNanos));
  }
  sendAnswer(res, { status: answer.httpStatus, headers, body: answer.kept });
}

/** A large plain answer, or any with billing off. One that broke is cut, so that no client takes it for whole. */
function endPassed(res: ServerResponse, answer: UpstreamAnswer): void {
  if (answer.end === "complete") res.end(answer.kept);
  else res.destroy();
}

function lastEvents(completion: Completion, stream: EndedStream): Buffer {
  const { answer, manner } = completion;
  if (answer.end === "exhausted") return finishEvents(completion, stream);
  const isCut =
    answer.end === "broken" && !stream.outcome.ended && stream.outcome.error === undefined;
  if (!isCut) return stream.held;
  // What is held of a cut stream is half an event: the error takes its place.
  return refusalEventOf(new AppError("UPSTREAM_UNAVAILABLE", cutMessage), manner);
}

function finishEvents(completion: Completion, { reader }: EndedStream): Buffer {
  const { arrival, deduction, clock } = completion;
  const call = arrival.call.parsed;
  return finishStream(call.dialect, {
    content: reader.content(),
    model: call.model,
    reason: "INSUFFICIENT_BALANCE",
    inputTokens: deduction === undefined ? 0 : promptTokens(deduction.usage),
    outputTokens: reader.outputTokensSoFar(),
    includeUsage: call.includeUsageAsked,
    nowSec: Math.floor(clock.nowMs() / 1000),
  });
}

const cutMessage = "The model provider broke off its answer.";
