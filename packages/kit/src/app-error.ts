import { type Reason, reasonAnswer } from "./reasons.ts";

/**
 * A refusal with a reason that clients can match on: the only error that operations throw on purpose.
 * Whatever else is thrown is a bug of ours and reaches the wire as INTERNAL, without its message.
 */
export class AppError extends Error {
  readonly reason: Reason;
  /** What the client reads. Never holds a key, a prompt or another account's facts. */
  readonly publicMessage: string;
  /** Facts a client's code may act on, carried in ErrorInfo beside `code`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** How long the client should wait before it repeats the call; absent when waiting does not help. */
  readonly retryAfterMs?: number;
  /** Every field that is at fault, for requests refused by validation. */
  readonly violations: readonly FieldViolation[];

  constructor(reason: Reason, publicMessage?: string, options: AppErrorOptions = {}) {
    const text = publicMessage ?? reasonAnswer(reason).en;
    super(`${reason}: ${text}`, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "AppError";
    this.reason = reason;
    this.publicMessage = text;
    this.metadata = options.metadata ?? {};
    this.violations = options.violations ?? [];
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}

/** What an `AppError` may carry beside its reason and message. `cause` is logged and never sent. */
export type AppErrorOptions = {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number;
  readonly violations?: readonly FieldViolation[];
  readonly cause?: unknown;
};

/** One field at fault: its path in proto naming (`amount.currency_code`, `charges[3].usage`) and why. */
export type FieldViolation = { readonly field: string; readonly description: string };

/** Refuses a request for one field, named in proto naming; `why` completes the sentence "field: …". */
export function fieldError(field: string, why: string): AppError {
  return new AppError("INVALID_ARGUMENT", `${field}: ${why}`, {
    metadata: { field },
    violations: [{ field, description: why }],
  });
}

/** True for an answer for good: asked again in the same words, it is the same. Of anything else nothing is known; ask again. */
export function isRefusal(error: unknown): error is AppError {
  return error instanceof AppError && !passing.has(error.reason);
}

const passing: ReadonlySet<Reason | "DEADLINE_EXCEEDED" | "CANCELLED" | "RESOURCE_EXHAUSTED"> =
  new Set([
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
    "INTERNAL",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "PAYMENT_UNAVAILABLE",
    "BILLING_UNAVAILABLE",
  ]);
