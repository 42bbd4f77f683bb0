import type { Dialect } from "../domain/call.ts";
import { type RefusalKind, refusalKind } from "./refusal-kind.ts";

/** A "no", as the gateway means it: one row of the error registry, and what the caller can do about it. */
export type Refusal = {
  /** The reason's name less its prefix, for example INSUFFICIENT_BALANCE. */
  readonly reason: string;
  /** The reason's number, which clients match on. */
  readonly code: number;
  readonly httpStatus: number;
  /** For people, in the client's language. Never an internal message. */
  readonly message: string;
  /** Facts of the reason: `available`, `receivable` (decimal strings), `currency_code`, `budget_id`, `field` … */
  readonly metadata: Readonly<Record<string, string>>;
  /** When it is worth asking again. Undefined when waiting does not help. */
  readonly retryAfterMs?: number | undefined;
  /** Where money can be added; shown only for refusals that money mends. */
  readonly topUpUrl?: string | undefined;
  /** Our own id of the request. */
  readonly requestId?: string | undefined;
};

/** An answer ready to be written. */
export type RefusalAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

/**
 * Answers a refusal in the client's own dialect, so that the official SDKs raise their right error classes (which they choose
 * by status) and other clients find the `type` and `code` they know. What only Farebox can say is under `error.farebox`:
 * reason, code, which limit, what remains, when to retry, where to top up.
 *
 * Both SDKs repeat 409, 429 and 5xx by themselves: `x-should-retry` stops them at a conflict or a used-up quota for which no
 * time to wait is given, and `retry-after-ms` paces them otherwise.
 */
export function refusalAnswer(dialect: Dialect, refusal: Refusal): RefusalAnswer {
  const body = Buffer.from(JSON.stringify(refusalBody(dialect, refusal)));
  const headers: Record<string, string> = {
    "content-type": "application/json; charset=utf-8",
    "content-length": String(body.length),
    "cache-control": "no-store",
  };
  // The SDKs decide well by status alone, but for these two: they would repeat what can never succeed.
  if (refusal.httpStatus === 409 || refusal.httpStatus === 429) {
    headers["x-should-retry"] = String(refusal.retryAfterMs !== undefined);
  }
  if (refusal.retryAfterMs !== undefined) {
    headers["retry-after"] = String(Math.ceil(refusal.retryAfterMs / 1000));
    headers["retry-after-ms"] = String(Math.ceil(refusal.retryAfterMs));
  }
  return { status: refusal.httpStatus, headers, body };
}

/** The same refusal as an event, for a stream that has begun and cannot be ended cleanly. */
export function refusalEvent(dialect: Dialect, refusal: Refusal): Buffer {
  const json = JSON.stringify(refusalBody(dialect, refusal));
  return Buffer.from(
    dialect === "openai" ? `data: ${json}\n\n` : `event: error\ndata: ${json}\n\n`,
  );
}

function refusalBody(dialect: Dialect, refusal: Refusal): object {
  const kind = refusalKind(refusal.reason, refusal.httpStatus);
  const farebox = fareboxBlock(refusal, kind);
  const message = messageFor(refusal, kind);
  if (dialect === "openai") {
    const param = refusal.metadata.field ?? kind.param ?? null;
    return { error: { message, type: kind.openaiType, param, code: kind.openaiCode, farebox } };
  }
  return {
    type: "error",
    error: { type: kind.anthropicType, message, farebox },
    request_id: refusal.requestId ?? null,
  };
}

function fareboxBlock(refusal: Refusal, kind: RefusalKind): object {
  return {
    reason: refusal.reason,
    code: refusal.code,
    limit: kind.limit,
    remaining: kind.limit === undefined ? undefined : refusal.metadata.available,
    retry_after_ms: refusal.retryAfterMs,
    top_up_url: kind.isMoney ? refusal.topUpUrl : undefined,
    request_id: refusal.requestId,
    metadata: refusal.metadata,
  };
}

/** Most people only ever see the message, so the balance, the field and the way out are in it too. */
function messageFor(refusal: Refusal, kind: RefusalKind): string {
  const { available, currency_code: currency, field, detail } = refusal.metadata;
  let message = refusal.message;
  if (field !== undefined) message += ` ${field}${detail === undefined ? "" : `: ${detail}`}`;
  if (!kind.isMoney) return message;
  if (available !== undefined) {
    message += ` (available: ${available}${currency === undefined ? "" : ` ${currency}`})`;
  }
  return refusal.topUpUrl === undefined ? message : `${message} ${refusal.topUpUrl}`;
}
