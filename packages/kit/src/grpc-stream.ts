import type { ClientDuplexStream, ClientReadableStream } from "@grpc/grpc-js";
import type { AppError } from "./app-error.ts";
import { fromGrpcError, toAppError } from "./error-interceptor.ts";

/** Answers of a server stream. Iterate once; a failure rejects the iteration with an AppError. */
export type ServerStream<O> = AsyncIterable<O> & { cancel(): void };

/** A stream in both directions. Iterate once; a failure rejects the iteration with an AppError. */
export type BidiStream<I, O> = AsyncIterable<O> & {
  /** Sends a message; false when the buffer is full: then await `drained()` before the next. After a failure it is dropped. */
  write(message: I): boolean;
  /** Resolves when the buffer has room; rejects with the stream's error. */
  drained(): Promise<void>;
  /** Ends the sending side. */
  end(): void;
  cancel(): void;
  /** Called once if the stream fails, at once if it has failed already. */
  onError(listener: (error: AppError) => void): void;
};

/** Wraps grpc-js' own stream of answers. */
export function serverStream<O>(
  stream: ClientReadableStream<O>,
  signal: AbortSignal | undefined,
): ServerStream<O> {
  const failing = watch(stream, signal);
  return {
    [Symbol.asyncIterator]: () => iterate(stream, failing),
    cancel: () => stream.cancel(),
  };
}

/** Wraps grpc-js' own stream in both directions. */
export function bidiStream<I, O>(
  stream: ClientDuplexStream<I, O>,
  signal: AbortSignal | undefined,
): BidiStream<I, O> {
  const listeners: ((error: AppError) => void)[] = [];
  const failing = watch(stream, signal, (failure) => {
    for (const listener of listeners) listener(failure);
  });
  return {
    [Symbol.asyncIterator]: () => iterate(stream, failing),
    write: (message) => failing.failure() === undefined && stream.write(message),
    drained: () => drained(stream, failing),
    end: () => stream.end(),
    cancel: () => stream.cancel(),
    onError: (listener) => {
      const failure = failing.failure();
      if (failure === undefined) listeners.push(listener);
      else listener(failure);
    },
  };
}

type Readable<O> = ClientReadableStream<O> | ClientDuplexStream<never, O>;

type Failing = { readonly failure: () => AppError | undefined };

/**
 * Keeps the error of a stream. grpc-js emits it once, also before anybody iterates, and an iteration that begins later
 * would see a clean end.
 */
function watch<O>(
  stream: Readable<O>,
  signal: AbortSignal | undefined,
  onFailure: (failure: AppError) => void = () => undefined,
): Failing {
  let failure: AppError | undefined;
  const cancel = () => stream.cancel();
  const failed = (error: unknown) => {
    if (failure !== undefined) return;
    failure = failureOf(error, signal);
    onFailure(failure);
  };
  stream.on("error", failed);
  stream.on("status", () => signal?.removeEventListener("abort", cancel));
  if (signal?.aborted === true) cancel();
  else signal?.addEventListener("abort", cancel, { once: true });
  return { failure: () => failure };
}

async function* iterate<O>(
  stream: Readable<O>,
  { failure }: Failing,
): AsyncGenerator<O, void, undefined> {
  let isEnded = false;
  try {
    for await (const message of stream) yield message;
    isEnded = true;
  } catch (error) {
    isEnded = true;
    throw failure() ?? fromGrpcError(error);
  } finally {
    if (!isEnded) stream.cancel();
  }
  const late = failure();
  if (late !== undefined) throw late;
}

function drained<I, O>(stream: ClientDuplexStream<I, O>, failing: Failing): Promise<void> {
  return new Promise((resolve, reject) => {
    const failure = failing.failure();
    if (failure !== undefined) return reject(failure);
    if (!stream.writableNeedDrain) return resolve();
    const settle = () => {
      stream.removeListener("drain", settle);
      stream.removeListener("error", settle);
      const late = failing.failure();
      if (late === undefined) resolve();
      else reject(late);
    };
    stream.once("drain", settle);
    stream.once("error", settle);
  });
}

/** A call that our own signal cut off failed for the signal's reason, not for gRPC's. */
export function failureOf(error: unknown, signal: AbortSignal | undefined): AppError {
  return signal?.aborted === true ? toAppError(error, signal) : fromGrpcError(error);
}
