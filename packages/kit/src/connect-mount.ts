import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { type AppError, fieldError } from "./app-error.ts";
import { fromConnectError, toConnectError, toWireError } from "./error-interceptor.ts";
import { exactJsonDecoder, findFaultyField } from "./faulty-field.ts";
import {
  type Admit,
  bindMethod,
  type IncomingRpc,
  languageOf,
  type RpcChain,
  runStream,
  runUnary,
} from "./interceptors.ts";
import { reasonAnswer } from "./reasons.ts";
import type { MountedMethod, ServiceMount } from "./service-mount.ts";

/**
 * Mounts services on a Connect router, behind the same chain as on gRPC:
 * `connectNodeAdapter({ routes: connectRoutes(mounts, chain) })`, or `createRouterTransport(connectRoutes(mounts, chain))`.
 *
 * JSON is strict: unknown fields, wrong types and integers that would be rounded are refused and named. Answers spell out
 * default values.
 */
export function connectRoutes(
  mounts: readonly ServiceMount[],
  chain: RpcChain,
): (router: ConnectRouter) => void {
  return (router) => {
    const first = router.handlers.length;
    for (const mount of mounts) {
      for (const method of mount.methods) mountMethod(router, method, chain);
    }
    for (const [at, handler] of router.handlers.entries()) {
      if (at >= first) router.handlers[at] = withTypedErrors(handler);
    }
  };
}

const jsonOptions = { ignoreUnknownFields: false, alwaysEmitImplicit: true };

/** Bytes of a request or an answer, as on gRPC. */
const bytesMax = 4 * 1024 * 1024;

/** connect-es takes `textDecoder` in every protocol, though only the type of its serializer says so. */
function limitsOf({ input }: DescMethod) {
  const textDecoder = exactJsonDecoder(input);
  return {
    readMaxBytes: bytesMax,
    writeMaxBytes: bytesMax,
    jsonOptions: { ...jsonOptions, textDecoder },
  };
}

function mountMethod(router: ConnectRouter, method: MountedMethod, chain: RpcChain): void {
  const { desc, serve } = method;
  const bound = bindMethod(chain, desc, method.isValidated);
  const limits = limitsOf(desc);
  if (serve.kind === "unary" && isUnary(desc)) {
    router.rpc(
      desc,
      (req, hctx) =>
        typed(hctx, (call) => runUnary(bound, call, (admit, ctx) => serve.call(admit(req), ctx))),
      limits,
    );
  } else if (serve.kind === "client_streaming" && isClientStreaming(desc)) {
    router.rpc(
      desc,
      (reqs, hctx) =>
        typed(hctx, (call) =>
          runUnary(bound, call, (admit, ctx) => serve.call(admitted(reqs, admit), ctx)),
        ),
      limits,
    );
  } else if (serve.kind === "server_streaming" && isServerStreaming(desc)) {
    router.rpc(
      desc,
      (req, hctx) =>
        typedStream(hctx, (call) =>
          runStream(bound, call, (admit, ctx) => serve.call(admit(req), ctx)),
        ),
      limits,
    );
  } else if (serve.kind === "bidi_streaming" && isBidi(desc)) {
    router.rpc(
      desc,
      (reqs, hctx) =>
        typedStream(hctx, (call) =>
          runStream(bound, call, (admit, ctx) => serve.call(admitted(reqs, admit), ctx)),
        ),
      limits,
    );
  }
}

async function* admitted(
  requests: AsyncIterable<object>,
  admit: Admit,
): AsyncGenerator<object, void, undefined> {
  for await (const request of requests) yield admit(request);
}

async function typed<T>(
  hctx: HandlerContext,
  answer: (call: IncomingRpc) => Promise<T>,
): Promise<T> {
  const call = incomingOf(hctx);
  try {
    return await answer(call);
  } catch (error) {
    throw connectErrorOf(error, call);
  }
}

async function* typedStream<T>(
  hctx: HandlerContext,
  answers: (call: IncomingRpc) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const call = incomingOf(hctx);
  try {
    yield* answers(call);
  } catch (error) {
    throw connectErrorOf(error, call);
  }
}

function incomingOf(hctx: HandlerContext): IncomingRpc {
  return {
    metadata: { get: (name) => hctx.requestHeader.get(name) ?? undefined },
    signal: () => hctx.signal,
  };
}

function connectErrorOf(error: unknown, call: IncomingRpc): ConnectError {
  return toConnectError(toWireError(error, { language: languageOf(call.metadata) }));
}

/**
 * Gives the refusals of Connect itself an ErrorInfo. It parses unary bodies before any interceptor runs and offers no
 * hook for what it refuses, so its answer is read and written again: only for refusals that carry no details.
 */
function withTypedErrors(handler: UniversalHandler): UniversalHandler {
  const { protocolNames, service, method, requestPath, allowedMethods, supportedContentType } =
    handler;
  return Object.assign(
    async (request: Parameters<UniversalHandler>[0]): Promise<UniversalServerResponse> => {
      const body = keepBody(request.body);
      const response = await handler({ ...request, body: body.passed });
      const isJson = response.header?.get("content-type") === "application/json";
      if (response.status < 400 || !isJson || response.body === undefined) return response;
      const metadata = { get: (name: string) => request.header.get(name) ?? undefined };
      const refused = { status: response.status, body: await collect(response.body) };
      const call = { metadata, fault: () => body.faultOf(method) };
      const answer = withErrorInfo(refused, call);
      response.header?.set("content-length", String(answer.body.byteLength));
      return { ...response, status: answer.status, body: once(answer.body) };
    },
    { protocolNames, service, method, requestPath, allowedMethods, supportedContentType },
  );
}

type RefusedCall = Pick<IncomingRpc, "metadata"> & { readonly fault: () => AppError | undefined };

type Refused = { readonly status: number; readonly body: Uint8Array };

function withErrorInfo(refused: Refused, call: RefusedCall): Refused {
  const { body } = refused;
  const fallback = new ConnectError("no error", Code.Unknown);
  const error = errorFromJsonBytes(body, undefined, fallback);
  if (error.details.length > 0) return refused;
  const language = languageOf(call.metadata);
  const refusal = fromConnectError(error);
  const named = refusal.reason === "INVALID_ARGUMENT" ? call.fault() : undefined;
  const wire = toWireError(named ?? refusal, { language });
  // The status Connect chose belongs to the code it gave; where ours is another, its own status goes with it.
  const status =
    wire.code === error.code ? refused.status : reasonAnswer(refusal.reason).httpStatus;
  return { status, body: errorToJsonBytes(toConnectError(wire), jsonOptions) };
}

type RequestBody = Parameters<UniversalHandler>[0]["body"];

/** Passes a body on and remembers what was read of it, so that a refused one can be searched for its fault. */
function keepBody(body: RequestBody) {
  const chunks: Uint8Array[] = [];
  async function* passing(stream: AsyncIterable<Uint8Array>) {
    for await (const chunk of stream) {
      chunks.push(chunk);
      yield chunk;
    }
  }
  return {
    passed: isByteStream(body) ? passing(body) : body,
    faultOf(method: DescMethod): AppError | undefined {
      try {
        const fault = findFaultyField(method.input, JSON.parse(Buffer.concat(chunks).toString()));
        return fault && fieldError(fault.field, fault.why);
      } catch {
        return undefined;
      }
    },
  };
}

function isByteStream(body: RequestBody): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

/** Error bodies are small: Connect has just written this one from one message. */
async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

function isUnary(desc: DescMethod): desc is DescMethod & DescMethodUnary {
  return desc.methodKind === "unary";
}

function isClientStreaming(desc: DescMethod): desc is DescMethod & DescMethodClientStreaming {
  return desc.methodKind === "client_streaming";
}

function isServerStreaming(desc: DescMethod): desc is DescMethod & DescMethodServerStreaming {
  return desc.methodKind === "server_streaming";
}

function isBidi(desc: DescMethod): desc is DescMethod & DescMethodBiDiStreaming {
  return desc.methodKind === "bidi_streaming";
}
