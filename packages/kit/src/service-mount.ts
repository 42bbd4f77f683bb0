import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { AppError } from "./app-error.ts";
import type { RpcContext, RpcImpl } from "./rpc-context.ts";

/**
 * A service and its implementation, ready for `serveGrpc` and `connectRoutes`. Made by `serviceMount`, which checks the
 * implementation against the contract; afterwards the types are erased so that mounts fit in one list.
 */
export type ServiceMount = {
  readonly service: DescService;
  readonly methods: readonly MountedMethod[];
};

/** A method without its types: messages are objects, `decode` and `encode` its codec for binary protobuf. */
export type MountedMethod = {
  readonly desc: DescMethod;
  readonly isValidated: boolean;
  readonly decode: (bytes: Uint8Array) => object;
  readonly encode: (answer: Answer) => Uint8Array;
  readonly serve: ServeMethod;
};

/** An answer as an implementation returns it: a message, or what makes one. */
export type Answer = MessageInitShape<DescMessage>;

/** The implementation by kind: one request or many, one answer or many. */
export type ServeMethod =
  | { readonly kind: "unary"; call(req: object, ctx: RpcContext): Promise<Answer> }
  | { readonly kind: "server_streaming"; call(req: object, ctx: RpcContext): AsyncIterable<Answer> }
  | {
      readonly kind: "client_streaming";
      call(reqs: AsyncIterable<object>, ctx: RpcContext): Promise<Answer>;
    }
  | {
      readonly kind: "bidi_streaming";
      call(reqs: AsyncIterable<object>, ctx: RpcContext): AsyncIterable<Answer>;
    };

/**
 * Hand-written codecs for a hot method, in place of protobuf-es. They must agree with it on every valid message; what
 * `decodeRequest` returns must have every field of the message, defaults included.
 */
export type ServerCodec<I, O> = {
  readonly decodeRequest?: (bytes: Uint8Array) => I;
  readonly encodeResponse?: (response: O) => Uint8Array;
};

/** Codecs by local method name. */
export type ServerCodecs<S extends DescService> = {
  readonly [M in keyof S["method"]]?: CodecOf<S["method"][M]>;
};

type CodecOf<M extends DescMethod> = M extends
  | DescMethodUnary<infer I, infer O>
  | DescMethodServerStreaming<infer I, infer O>
  | DescMethodClientStreaming<infer I, infer O>
  | DescMethodBiDiStreaming<infer I, infer O>
  ? ServerCodec<MessageShape<I>, MessageInitShape<O>>
  : never;

/**
 * Joins a service with its implementation. A method that is left out answers UNIMPLEMENTED. `unvalidated` methods check
 * their own requests (by hand, for speed); the account rule still applies to them.
 */
export function serviceMount<S extends DescService>(
  service: S,
  impl: Partial<RpcImpl<S>>,
  options: {
    readonly codecs?: ServerCodecs<S>;
    readonly unvalidated?: readonly (keyof S["method"] & string)[];
  } = {},
): ServiceMount {
  const unvalidated = new Set<string>(options.unvalidated);
  const codecs: Readonly<Record<string, ErasedCodec | undefined>> = options.codecs ?? {};
  const methods = service.methods.map(
    (desc): MountedMethod => ({
      desc,
      isValidated: !unvalidated.has(desc.localName),
      decode: codecs[desc.localName]?.decodeRequest ?? ((bytes) => decodeMessage(desc, bytes)),
      encode: codecs[desc.localName]?.encodeResponse ?? ((answer) => encodeMessage(desc, answer)),
      serve: serveMethod(desc, Reflect.get(impl, desc.localName), impl),
    }),
  );
  return { service, methods };
}

type ErasedCodec = {
  readonly decodeRequest?: (bytes: Uint8Array) => object;
  readonly encodeResponse?: (answer: Answer) => Uint8Array;
};

function decodeMessage(desc: DescMethod, bytes: Uint8Array): object {
  try {
    return fromBinary(desc.input, bytes);
  } catch (error) {
    throw new AppError("INVALID_ARGUMENT", "The body is not a valid request.", { cause: error });
  }
}

function encodeMessage(desc: DescMethod, answer: Answer): Uint8Array {
  return toBinary(desc.output, create(desc.output, answer));
}

/** Sound because `serviceMount` took `found` from an implementation that was checked against this method's kind. */
function serveMethod(desc: DescMethod, found: unknown, impl: object): ServeMethod {
  const kind = desc.methodKind;
  const call = typeof found === "function" ? found.bind(impl) : unimplemented(kind);
  return { kind, call } as ServeMethod;
}

function unimplemented(kind: DescMethod["methodKind"]): () => unknown {
  if (kind === "unary" || kind === "client_streaming") {
    return () => Promise.reject(new AppError("UNIMPLEMENTED"));
  }
  return () => failingStream();
}

// biome-ignore lint/correctness/useYield: an answer stream that fails before its first answer
async function* failingStream(): AsyncGenerator<Answer> {
  throw new AppError("UNIMPLEMENTED");
}
