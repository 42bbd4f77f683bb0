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
import {
  type ChannelOptions,
  Client,
  credentials,
  Metadata,
  type requestCallback,
} from "@grpc/grpc-js";
import { AppError } from "./app-error.ts";
import { toAppError } from "./error-interceptor.ts";
import {
  type BidiStream,
  bidiStream,
  failureOf,
  type ServerStream,
  serverStream,
} from "./grpc-stream.ts";

/** A client of one service: a function a method by local name, and `close`. Every error is an AppError. */
export type GrpcClient<S extends DescService> = {
  readonly [M in keyof S["method"]]: ClientMethod<S["method"][M]>;
} & { close(): void };

export type ClientMethod<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? (req: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (req: MessageInitShape<I>, options?: CallOptions) => ServerStream<MessageShape<O>>
      : M extends
            | DescMethodClientStreaming<infer I, infer O>
            | DescMethodBiDiStreaming<infer I, infer O>
        ? (options?: CallOptions) => BidiStream<MessageInitShape<I>, MessageShape<O>>
        : never;

export type CallOptions = {
  readonly signal?: AbortSignal;
  /** Overrides the client's deadline. Streams have none unless it is given here. */
  readonly deadlineMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
};

/** Hand-written codecs for a hot method, in place of protobuf-es. */
export type ClientCodec<I, O> = {
  readonly encodeRequest?: (request: I) => Uint8Array;
  readonly decodeResponse?: (bytes: Uint8Array) => O;
};

export type ClientCodecs<S extends DescService> = {
  readonly [M in keyof S["method"]]?: ClientCodecOf<S["method"][M]>;
};

type ClientCodecOf<M extends DescMethod> = M extends
  | DescMethodUnary<infer I, infer O>
  | DescMethodServerStreaming<infer I, infer O>
  | DescMethodClientStreaming<infer I, infer O>
  | DescMethodBiDiStreaming<infer I, infer O>
  ? ClientCodec<MessageInitShape<I>, MessageShape<O>>
  : never;

export type GrpcClientOptions<S extends DescService> = {
  /** `host:port`, `dns:///name:port` (all its addresses, round robin), or `ip:port,ip:port` (round robin). */
  readonly address: string;
  readonly serviceToken?: string;
  /** How long a unary call may take, unless the call says otherwise. */
  readonly deadlineMs: number;
  /** Sent with every call. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly codecs?: ClientCodecs<S>;
};

/**
 * Opens a client. It connects at the first call and reconnects by itself, at most a second apart; while the server is
 * away calls fail at once with UNAVAILABLE. A connection that stops answering is noticed within 15 s.
 */
export function createGrpcClient<S extends DescService>(
  service: S,
  options: GrpcClientOptions<S>,
): GrpcClient<S> {
  const client = new Client(target(options.address), credentials.createInsecure(), channelOptions);
  const base = new Metadata();
  if (options.serviceToken !== undefined) base.set("x-service-token", options.serviceToken);
  for (const [name, value] of Object.entries(options.metadata ?? {})) base.set(name, value);
  const codecs: Readonly<Record<string, ErasedCodec | undefined>> = options.codecs ?? {};
  const methods = service.methods.map((desc): [string, ErasedMethod] => [
    desc.localName,
    bindClientMethod(
      { client, base, deadlineMs: options.deadlineMs },
      desc,
      codecs[desc.localName],
    ),
  ]);
  return asClient<S>({ ...Object.fromEntries(methods), close: () => client.close() });
}

/** Sound because every method was bound from the descriptor that its type is computed from. */
function asClient<S extends DescService>(client: object): GrpcClient<S> {
  return client as GrpcClient<S>;
}

const messageBytesMax = 4 * 1024 * 1024;

const channelOptions: ChannelOptions = {
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  "grpc.max_receive_message_length": messageBytesMax,
  "grpc.max_send_message_length": messageBytesMax,
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
};

/** grpc-js knows lists of addresses only as `ipv4:` and `ipv6:`. */
function target(address: string): string {
  if (!address.includes(",")) return address;
  const parts = address.split(",").map((part) => part.trim().replace(/^localhost:/, "127.0.0.1:"));
  if (parts.some((part) => !/^\d+\.\d+\.\d+\.\d+:\d+$/.test(part))) {
    throw new Error(`a list of addresses must be of the form ip:port,ip:port, not "${address}"`);
  }
  return `ipv4:${parts.join(",")}`;
}

type Connection = {
  readonly client: Client;
  readonly base: Metadata;
  readonly deadlineMs: number;
};

type ErasedCodec = {
  readonly encodeRequest?: (request: Init) => Uint8Array;
  readonly decodeResponse?: (bytes: Uint8Array) => object;
};

type Init = MessageInitShape<DescMessage>;

type ErasedMethod = (...args: never[]) => unknown;

function bindClientMethod(
  connection: Connection,
  desc: DescMethod,
  codec: ErasedCodec | undefined,
): ErasedMethod {
  const path = `/${desc.parent.typeName}/${desc.name}`;
  const { encodeRequest, decodeResponse } = codec ?? {};
  const encode = (request: Init): Buffer =>
    asBuffer(encodeRequest?.(request) ?? toBinary(desc.input, create(desc.input, request)));
  const decode = (bytes: Buffer): object =>
    decodeResponse?.(bytes) ?? fromBinary(desc.output, bytes);
  const { client } = connection;
  switch (desc.methodKind) {
    case "unary":
      return (request: Init, options: CallOptions = {}) =>
        callUnary(options.signal, (done) =>
          client.makeUnaryRequest(
            path,
            encode,
            decode,
            request,
            metadataOf(connection, options),
            { deadline: Date.now() + (options.deadlineMs ?? connection.deadlineMs) },
            done,
          ),
        );
    case "server_streaming":
      return (request: Init, options: CallOptions = {}) => {
        const metadata = metadataOf(connection, options);
        return serverStream(
          client.makeServerStreamRequest(
            path,
            encode,
            decode,
            request,
            metadata,
            deadlineOf(options),
          ),
          options.signal,
        );
      };
    case "client_streaming":
    case "bidi_streaming":
      // A client stream is a bidirectional one that answers once; grpc-js sends both alike.
      return (options: CallOptions = {}) => {
        const metadata = metadataOf(connection, options);
        return bidiStream(
          client.makeBidiStreamRequest(path, encode, decode, metadata, deadlineOf(options)),
          options.signal,
        );
      };
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function deadlineOf(options: CallOptions): { deadline?: number } {
  return options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs };
}

function metadataOf(connection: Connection, options: CallOptions): Metadata {
  if (options.metadata === undefined) return connection.base;
  const metadata = connection.base.clone();
  for (const [name, value] of Object.entries(options.metadata)) metadata.set(name, value);
  return metadata;
}

function callUnary(
  signal: AbortSignal | undefined,
  start: (done: requestCallback<object>) => { cancel(): void },
): Promise<object> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(toAppError(signal.reason, signal));
    const cancel = () => call.cancel();
    const call = start((error, answer) => {
      signal?.removeEventListener("abort", cancel);
      if (error !== null) reject(failureOf(error, signal));
      else if (answer === undefined) reject(new AppError("INTERNAL"));
      else resolve(answer);
    });
    signal?.addEventListener("abort", cancel, { once: true });
  });
}
