import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema } from "@farebox/proto/google/rpc/error_details";
import { StatusSchema } from "@farebox/proto/google/rpc/status";
import { Metadata } from "@grpc/grpc-js";
import { AppError, fieldError } from "./app-error.ts";
import { fromGrpcError, toAppError, toGrpcStatus, toWireError } from "./error-interceptor.ts";
import { allReasons } from "./reasons.ts";

const english = { language: "en" } as const;

function received(error: unknown): Error {
  const status = toGrpcStatus(toWireError(error, english));
  return Object.assign(new Error(status.details), status);
}

test("every reason survives the wire with its facts", () => {
  for (const reason of allReasons()) {
    const sent = new AppError(reason, "why", { metadata: { a: "1" }, retryAfterMs: 1250 });
    const back = fromGrpcError(received(sent));
    assert.deepEqual(
      [back.reason, back.publicMessage, back.metadata, back.retryAfterMs],
      [reason, "why", { a: "1" }, 1250],
    );
  }
});

test("faults of fields survive the wire", () => {
  const back = fromGrpcError(received(fieldError("amount.amount_nanos", "must be positive")));
  assert.equal(back.publicMessage, "amount.amount_nanos: must be positive");
  assert.deepEqual(back.metadata, { field: "amount.amount_nanos" });
  assert.deepEqual(back.violations, [
    { field: "amount.amount_nanos", description: "must be positive" },
  ]);
});

test("the details are one ErrorInfo with the number as code", () => {
  const [encoded] = toGrpcStatus(
    toWireError(new AppError("INSUFFICIENT_BALANCE"), english),
  ).metadata.get("grpc-status-details-bin");
  assert(Buffer.isBuffer(encoded));
  const status = fromBinary(StatusSchema, encoded);
  assert.equal(status.code, 8);
  const infos = status.details.flatMap((any) => anyUnpack(any, ErrorInfoSchema) ?? []);
  assert.equal(infos.length, 1);
  assert.deepEqual(
    [infos[0]?.reason, infos[0]?.domain, infos[0]?.metadata],
    ["INSUFFICIENT_BALANCE", "farebox", { code: "10001" }],
  );
});

test("what is thrown by mistake is INTERNAL, its text only in the cause", () => {
  const cause = new Error("SELECT secret FROM t");
  const wire = toWireError(cause, english);
  assert.equal(wire.code, 13);
  const sent = toGrpcStatus(wire).metadata.get("grpc-status-details-bin").join();
  assert(!(sent + wire.message).includes("SELECT"));
  assert.equal(toAppError(cause).cause, cause);
});

// biome-ignore format: a decision table is read by column
const transport: [name: string, code: number, reason: string][] = [
  ["a lost connection",              14, "UNAVAILABLE"],
  ["a deadline that passed",          4, "DEADLINE_EXCEEDED"],
  ["a call that was cancelled",       1, "CLIENT_CLOSED"],
  ["a method the server lacks",      12, "UNIMPLEMENTED"],
  ["an answer that is too large",     8, "INTERNAL"],
  ["a code nobody explained",         2, "INTERNAL"],
];

for (const [name, code, reason] of transport) {
  test(`without ErrorInfo ${name} reads ${reason}`, () => {
    const error = Object.assign(new Error("raw"), {
      code,
      details: "raw",
      metadata: new Metadata(),
    });
    assert.equal(fromGrpcError(error).reason, reason);
  });
}

test("details that cannot be read fall back to the code", () => {
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from([0xff, 0xff]));
  const error = Object.assign(new Error("raw"), { code: 14, details: "raw", metadata });
  assert.equal(fromGrpcError(error).reason, "UNAVAILABLE");
});

test("an aborted call fails for its signal's reason", () => {
  const timeout = AbortSignal.abort(new DOMException("late", "TimeoutError"));
  assert.equal(toAppError(new Error("x"), timeout).reason, "DEADLINE_EXCEEDED");
  assert.equal(toAppError(new Error("x"), AbortSignal.abort()).reason, "CLIENT_CLOSED");
  const ours = AbortSignal.abort(new AppError("UNAVAILABLE"));
  assert.equal(toAppError(new Error("x"), ours).reason, "UNAVAILABLE");
});
