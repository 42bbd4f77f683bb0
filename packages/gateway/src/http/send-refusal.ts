import type { ServerResponse } from "node:http";
import type { AppError } from "@farebox/kit/app-error";
import { reasonAnswer } from "@farebox/kit/reasons";
import type { Dialect } from "../domain/call.ts";
import { type Refusal, refusalAnswer, refusalEvent } from "../upstream/refusal.ts";
import { sendAnswer } from "./send-answer.ts";

/** How a refusal is put to this client. */
export type RefusalManner = {
  readonly dialect: Dialect;
  /** The client's or our own id of the request; undefined before one was given. */
  readonly requestId: string | undefined;
  readonly acceptLanguage: string | undefined;
  readonly topUpUrl: string | undefined;
};

/** Answers a refusal, in the client's dialect and language. Does nothing when the client has gone. */
export function sendRefusal(res: ServerResponse, error: AppError, manner: RefusalManner): void {
  const answer = refusalAnswer(manner.dialect, refusalOf(error, manner));
  const headers: string[] = [];
  for (const [name, value] of Object.entries(answer.headers)) {
    if (name !== "content-length") headers.push(name, value);
  }
  if (manner.requestId !== undefined) headers.push("x-farebox-request-id", manner.requestId);
  // What is left of an oversized body is not waited for.
  if (error.reason === "BODY_TOO_LARGE" || error.reason === "SHUTTING_DOWN") {
    headers.push("connection", "close");
  }
  sendAnswer(res, { status: answer.status, headers, body: answer.body });
}

/** The same for a stream that has begun: an error event in the dialect, which the official SDKs raise. */
export function refusalEventOf(error: AppError, manner: RefusalManner): Buffer {
  return refusalEvent(manner.dialect, refusalOf(error, manner));
}

function refusalOf(error: AppError, manner: RefusalManner): Refusal {
  const { number, httpStatus, en, zh } = reasonAnswer(error.reason);
  const isChinese = /^\s*zh\b/i.test(manner.acceptLanguage ?? "");
  return {
    reason: error.reason,
    code: number,
    httpStatus,
    message: isChinese && error.publicMessage === en ? zh : error.publicMessage,
    metadata: error.metadata,
    retryAfterMs: error.retryAfterMs,
    topUpUrl: manner.topUpUrl,
    requestId: manner.requestId,
  };
}
