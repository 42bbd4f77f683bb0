import {
  create,
  type DescMessage,
  fromBinary,
  isMessage,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  RetryInfoSchema,
} from "@farebox/proto/google/rpc/error_details";
import { StatusSchema } from "@farebox/proto/google/rpc/status";
import { status as grpcCodes, Metadata, type StatusObject } from "@grpc/grpc-js";
import { AppError, type FieldViolation, fieldError } from "./app-error.ts";
import { isReason, type Reason, reasonAnswer } from "./reasons.ts";
import type { Language } from "./rpc-context.ts";

/** A refusal as every transport carries it: `code` is the canonical gRPC number. */
export type WireError = {
  readonly code: number;
  readonly message: string;
  readonly details: readonly WireDetail[];
};

export type WireDetail = { readonly desc: DescMessage; readonly value: Message };

const domain = "farebox";
const statusDetailsKey = "grpc-status-details-bin";

/**
 * Makes an AppError of whatever was thrown: the one door for errors. What is not known here is a bug, answered INTERNAL
 * with the original as its cause, which is logged and never sent.
 */
export function toAppError(error: unknown, signal?: AbortSignal): AppError {
  if (error instanceof AppError) return error;
  if (signal?.aborted === true) {
    const { reason } = signal;
    if (reason instanceof AppError) return reason;
    return new AppError(isTimeout(reason) ? "DEADLINE_EXCEEDED" : "CLIENT_CLOSED", undefined, {
      cause: error,
    });
  }
  if (error instanceof ConnectError) return fromConnectError(error);
  return new AppError("INTERNAL", undefined, { cause: error });
}

function isTimeout(reason: unknown): boolean {
  if (reason instanceof ConnectError) return reason.code === Code.DeadlineExceeded;
  return reason instanceof Error && reason.name === "TimeoutError";
}

/** What a refusal says on the wire: code, English message, exactly one ErrorInfo, and what else helps. */
export function toWireError(
  error: unknown,
  { language }: { readonly language: Language },
): WireError {
  const refusal = toAppError(error);
  const answer = reasonAnswer(refusal.reason);
  const details: WireDetail[] = [
    detail(ErrorInfoSchema, {
      reason: refusal.reason,
      domain,
      metadata: { ...refusal.metadata, code: String(answer.number) },
    }),
  ];
  if (refusal.retryAfterMs !== undefined) {
    const ms = Math.max(0, Math.ceil(refusal.retryAfterMs));
    const retryDelay = { seconds: BigInt(Math.trunc(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
    details.push(detail(RetryInfoSchema, { retryDelay }));
  }
  if (refusal.violations.length > 0) {
    details.push(detail(BadRequestSchema, { fieldViolations: [...refusal.violations] }));
  }
  if (language === "zh") {
    details.push(detail(LocalizedMessageSchema, { locale: "zh", message: answer.zh }));
  }
  return { code: answer.codeNumber, message: refusal.publicMessage, details };
}

function detail<Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>): WireDetail {
  return { desc, value: create(desc, init) };
}

/** The status of a grpc-js call: the details travel as an encoded google.rpc.Status. */
export function toGrpcStatus(wire: WireError): StatusObject {
  const metadata = new Metadata();
  const details = wire.details.map(({ desc, value }) => anyPack(desc, value));
  const encoded = toBinary(
    StatusSchema,
    create(StatusSchema, { code: wire.code, message: wire.message, details }),
  );
  metadata.set(statusDetailsKey, Buffer.from(encoded));
  return { code: wire.code, details: wire.message, metadata };
}

/** The same as the error of a Connect handler. */
export function toConnectError(wire: WireError): ConnectError {
  return new ConnectError(wire.message, wire.code, undefined, [...wire.details]);
}

/**
 * What Connect itself refused: a body it cannot parse above all. connect-es 2.2 reports those by the text of the error
 * alone ("cannot decode field farebox.x.v1.Y.name from JSON: …", "key \"name\" is unknown"), so the field is read from it.
 */
export function fromConnectError(error: ConnectError): AppError {
  const why = error.rawMessage.slice(0, messageCharsMax);
  const unknown = /^cannot decode .* from JSON: key "([^"]*)" is unknown/.exec(why);
  if (unknown?.[1] !== undefined) return fieldError(unknown[1], "is not a field of this request");
  const inexact = /^cannot decode "([^"]+)" from JSON: (.*)/s.exec(why);
  if (inexact?.[1] !== undefined) return fieldError(inexact[1], inexact[2] ?? "is not valid");
  const faulty = /^cannot decode (?:field|oneof) (\S+) from JSON: (.*)/s.exec(why);
  if (faulty?.[1] !== undefined) {
    return fieldError(faulty[1].slice(faulty[1].lastIndexOf(".") + 1), faulty[2] ?? "is not valid");
  }
  if (why.startsWith("cannot decode message ")) return fieldError("body", "is not a valid request");
  const tooLarge = /larger than configured readMaxBytes (\d+)/.exec(why);
  if (tooLarge?.[1] !== undefined) {
    return new AppError("BODY_TOO_LARGE", undefined, { metadata: { bytes_max: tooLarge[1] } });
  }
  if (/^(?:cannot decode |parse binary)/.test(why)) {
    return new AppError("INVALID_ARGUMENT", "The body is not a valid request.", { cause: error });
  }
  const reason = transportReasons.get(error.code) ?? "INTERNAL";
  return new AppError(reason, undefined, { cause: error });
}

const messageCharsMax = 300;

/** What a Farebox service answered to one of ours, as it was thrown there; a lost connection is UNAVAILABLE. */
export function fromGrpcError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!isGrpcError(error)) return new AppError("INTERNAL", undefined, { cause: error });
  const [encoded] = error.metadata.get(statusDetailsKey);
  const restored = Buffer.isBuffer(encoded) ? fromStatus(encoded, error) : undefined;
  if (restored !== undefined) return restored;
  return new AppError(transportReasons.get(error.code) ?? "INTERNAL", undefined, { cause: error });
}

/** The reasons behind codes that come from gRPC itself, where no ErrorInfo is. */
const transportReasons: ReadonlyMap<number, Reason> = new Map([
  [grpcCodes.UNAVAILABLE, "UNAVAILABLE"],
  [grpcCodes.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"],
  [grpcCodes.CANCELLED, "CLIENT_CLOSED"],
  [grpcCodes.UNIMPLEMENTED, "UNIMPLEMENTED"],
  [grpcCodes.UNAUTHENTICATED, "UNAUTHENTICATED"],
  [grpcCodes.PERMISSION_DENIED, "PERMISSION_DENIED"],
  [grpcCodes.INVALID_ARGUMENT, "INVALID_ARGUMENT"],
]);

type GrpcError = Error & { readonly code: number; readonly metadata: Metadata };

function isGrpcError(error: unknown): error is GrpcError {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "number" &&
    "metadata" in error &&
    error.metadata instanceof Metadata
  );
}

function fromStatus(encoded: Buffer, cause: GrpcError): AppError | undefined {
  try {
    const { message, details } = fromBinary(StatusSchema, encoded);
    return restore(message, details.map(unpack), cause);
  } catch {
    return undefined;
  }
}

function unpack(packed: Any): Message | undefined {
  return (
    anyUnpack(packed, ErrorInfoSchema) ??
    anyUnpack(packed, RetryInfoSchema) ??
    anyUnpack(packed, BadRequestSchema)
  );
}

function restore(
  message: string,
  details: readonly (Message | undefined)[],
  cause: unknown,
): AppError | undefined {
  let reason: Reason | undefined;
  let metadata: Record<string, string> = {};
  let retryAfterMs: number | undefined;
  let violations: readonly FieldViolation[] = [];
  for (const part of details) {
    if (isMessage(part, ErrorInfoSchema) && part.domain === domain && isReason(part.reason)) {
      reason = part.reason;
      const { code: _, ...facts } = part.metadata;
      metadata = facts;
    } else if (isMessage(part, RetryInfoSchema) && part.retryDelay !== undefined) {
      retryAfterMs = Number(part.retryDelay.seconds) * 1000 + part.retryDelay.nanos / 1_000_000;
    } else if (isMessage(part, BadRequestSchema)) {
      violations = part.fieldViolations.map(({ field, description }) => ({ field, description }));
    }
  }
  if (reason === undefined) return undefined;
  const options = { metadata, violations, cause };
  return new AppError(
    reason,
    message,
    retryAfterMs === undefined ? options : { ...options, retryAfterMs },
  );
}
