import { once } from "node:events";
import type {
  Deadline,
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  Server,
  ServerDuplexStream,
  ServerReadableStream,
  ServerWritableStream,
  ServiceDefinition,
  StatusObject,
  UntypedHandleCall,
} from "@grpc/grpc-js";
import { AppError } from "./app-error.ts";
import type { RpcMetadata } from "./auth-interceptor.ts";
import { toGrpcStatus, toWireError } from "./error-interceptor.ts";
import {
  type Admit,
  type BoundMethod,
  bindMethod,
  type IncomingRpc,
  languageOf,
  type RpcChain,
  runStream,
  runUnary,
} from "./interceptors.ts";
import type { Answer, MountedMethod, ServiceMount } from "./service-mount.ts";

/**
 * Mounts a service on a grpc-js server, behind the chain. grpc-js sees bytes only: messages are decoded and encoded
 * inside the chain, so that a malformed one is refused like any other. Streams end when `closing` aborts; unary calls
 * may finish.
 */
export function mountGrpc(
  server: Server,
  mount: ServiceMount,
  chain: RpcChain,
  closing?: AbortSignal,
): void {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const handlers: Record<string, UntypedHandleCall> = {};
  for (const method of mount.methods) {
    const { desc } = method;
    definition[desc.localName] = {
      path: `/${mount.service.typeName}/${desc.name}`,
      requestStream: desc.methodKind === "client_streaming" || desc.methodKind === "bidi_streaming",
      responseStream:
        desc.methodKind === "server_streaming" || desc.methodKind === "bidi_streaming",
      requestSerialize: sameBytes,
      requestDeserialize: sameBytes,
      responseSerialize: sameBytes,
      responseDeserialize: sameBytes,
    };
    handlers[desc.localName] = adapt(bindMethod(chain, desc, method.isValidated), method, closing);
  }
  server.addService(definition, handlers);
}

function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}

/** What the four kinds of grpc-js server calls have in common. */
type AnyCall = {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getDeadline(): Deadline;
  once(event: "cancelled", listener: () => void): unknown;
};

function adapt(
  bound: BoundMethod,
  method: MountedMethod,
  closing?: AbortSignal,
): UntypedHandleCall {
  const { serve } = method;
  switch (serve.kind) {
    case "unary": {
      const unary: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
        const incoming = incomingOf(call);
        runUnary(bound, incoming, async (admit, ctx) =>
          encode(method, await serve.call(admit(method.decode(call.request)), ctx)),
        ).then(
          (bytes) => callback(null, bytes),
          (error) => callback(statusOf(error, incoming)),
        );
      };
      return unary;
    }
    case "client_streaming": {
      const clientStreaming: handleClientStreamingCall<Buffer, Buffer> = (call, callback) => {
        const incoming = incomingOf(call, closing);
        runUnary(bound, incoming, async (admit, ctx) =>
          encode(method, await serve.call(requestsOf(call, method, admit, ctx.signal), ctx)),
        ).then(
          (bytes) => callback(null, bytes),
          (error) => callback(statusOf(error, incoming)),
        );
      };
      return clientStreaming;
    }
    case "server_streaming": {
      const serverStreaming: handleServerStreamingCall<Buffer, Buffer> = (call) => {
        const incoming = incomingOf(call, closing);
        const answers = runStream(bound, incoming, (admit, ctx) =>
          serve.call(admit(method.decode(call.request)), ctx),
        );
        void pump(call, answers, method, incoming);
      };
      return serverStreaming;
    }
    case "bidi_streaming": {
      const bidi: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
        const incoming = incomingOf(call, closing);
        const answers = runStream(bound, incoming, (admit, ctx) =>
          serve.call(requestsOf(call, method, admit, ctx.signal), ctx),
        );
        void pump(call, answers, method, incoming);
      };
      return bidi;
    }
  }
}

/** Writes the answers at the pace the client reads them, then the status. Never rejects. */
async function pump(
  call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  answers: AsyncIterable<Answer>,
  method: MountedMethod,
  incoming: IncomingRpc,
): Promise<void> {
  const signal = incoming.signal();
  try {
    for await (const answer of answers) {
      signal.throwIfAborted();
      if (!call.write(encode(method, answer))) await once(call, "drain", { signal });
    }
    call.end();
  } catch (error) {
    call.emit("error", statusOf(error, incoming));
  }
}

async function* requestsOf(
  call: ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  method: MountedMethod,
  admit: Admit,
  signal: AbortSignal,
): AsyncGenerator<object, void, undefined> {
  // A handler that stops reading must not destroy the call: its answers and status are still to be sent.
  const bytes = call.iterator({ destroyOnReturn: false });
  for await (const request of untilAborted<Buffer>(bytes, signal)) {
    yield admit(method.decode(request));
  }
}

/** The same items, but a pending read rejects when the signal aborts. One listener, however many items. */
function untilAborted<T>(source: AsyncIterator<T>, signal: AbortSignal): AsyncIterable<T> {
  let rejectPending: ((reason: unknown) => void) | undefined;
  signal.addEventListener("abort", () => rejectPending?.(signal.reason), { once: true });
  const next = (): Promise<IteratorResult<T>> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      rejectPending = reject;
      source.next().then(resolve, reject);
    });
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

function encode(method: MountedMethod, answer: Answer): Buffer {
  const bytes = method.encode(answer);
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function statusOf(error: unknown, incoming: IncomingRpc): StatusObject {
  return toGrpcStatus(toWireError(error, { language: languageOf(incoming.metadata) }));
}

function incomingOf(call: AnyCall, closing?: AbortSignal): IncomingRpc {
  let controller: AbortController | undefined;
  return {
    metadata: metadataOf(call.metadata),
    signal: () => {
      controller ??= openController(call, closing);
      return controller.signal;
    },
  };
}

function metadataOf(metadata: Metadata): RpcMetadata {
  return {
    get: (name) => {
      const [value] = metadata.get(name);
      return typeof value === "string" ? value : undefined;
    },
  };
}

/** grpc-js also says "cancelled" when a call has ended by itself, which frees the listener on `closing`. */
function openController(call: AnyCall, closing?: AbortSignal): AbortController {
  const controller = new AbortController();
  const onClosing = () => controller.abort(new AppError("UNAVAILABLE"));
  const onCancelled = () => {
    closing?.removeEventListener("abort", onClosing);
    controller.abort(new AppError(isPast(call) ? "DEADLINE_EXCEEDED" : "CLIENT_CLOSED"));
  };
  if (call.cancelled) onCancelled();
  else call.once("cancelled", onCancelled);
  if (closing?.aborted === true) onClosing();
  else closing?.addEventListener("abort", onClosing, { once: true });
  return controller;
}

function isPast(call: AnyCall): boolean {
  const deadline = call.getDeadline();
  return Date.now() >= (typeof deadline === "number" ? deadline : deadline.getTime());
}
