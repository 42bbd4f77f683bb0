import type { ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import type { StreamReader } from "../domain/stream-reader.ts";
import { type AnswerHead, answerHead, type RawHeaders } from "../http/answer-head.ts";
import type { EndedStream, UpstreamAnswer } from "./upstream-answer.ts";

/** What an exchange is told when it begins. */
export type ExchangeInput = {
  readonly res: ServerResponse;
  /** The client asked for a stream. */
  readonly isStreamed: boolean;
  /** Reads a stream as it passes; undefined with billing off. */
  readonly reader: StreamReader | undefined;
  /** Called while a stream runs; false ends it. Undefined with billing off. */
  readonly progress: ((reader: StreamReader) => boolean) | undefined;
  readonly requestId: string;
  /** A plain answer above this is passed on as it comes. */
  readonly answerBytesMax: number;
  readonly monotonicMs: () => number;
  readonly end: (answer: UpstreamAnswer) => void;
};

/**
 * One physical upstream call: takes the upstream's answer as it comes, passes a stream on to the client with back-pressure,
 * keeps a plain answer whole, and ends exactly once, whichever of upstream, client and gateway ends it. The last bytes are never
 * sent here: they wait for the journal.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #input: ExchangeInput;
  #controller: Dispatcher.DispatchController | undefined;
  #isOver = false;
  #isSent = false;
  #status = 0;
  #head: AnswerHead = noHead;
  /** A stream, or a plain answer too large to keep: bytes go on as they come. */
  #isPassing = false;
  #parts: Buffer[] = [];
  #bytes = 0;
  #firstPartMs: number | undefined;
  #lookedAtBytes = 0;
  #pausedSinceMs = 0;

  constructor(input: ExchangeInput) {
    this.#input = input;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(clientGone);
    // From here on the upstream may do work, whatever becomes of the connection.
    else this.#isSent = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.#isOver || status < 200) return;
    this.#status = status;
    this.#head = answerHead(rawList(controller));
    const { isStreamed } = this.#input;
    if (isStreamed && status < 300 && !this.#head.contentType.includes("json"))
      this.#beginPassing();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    this.#bytes += chunk.length;
    if (this.#isPassing) this.#pass(chunk);
    else this.#keep(chunk);
  }

  onResponseEnd(): void {
    this.#finish("complete");
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#finish("broken", error);
  }

  /** The client has closed its connection: the upstream is stopped at once. */
  leave(): void {
    this.#stop("left");
  }

  /** A look once a second: is the client still reading, is the reservation still enough? */
  tick(nowMs: number, idleMsMax: number): void {
    if (this.#isOver || !this.#isPassing) return;
    if (this.#pausedSinceMs !== 0 && nowMs - this.#pausedSinceMs > idleMsMax) {
      this.#input.res.destroy();
      return;
    }
    const { reader } = this.#input;
    if (reader !== undefined && reader.forwardedBytes > this.#lookedAtBytes) this.#look(reader);
  }

  #beginPassing(): void {
    const { res, requestId } = this.#input;
    this.#isPassing = true;
    if (res.destroyed) return;
    this.#head.passed.push("x-farebox-request-id", requestId);
    res.writeHead(this.#status, this.#head.passed);
    // The head goes with the first part when that is here already, else at once: clients time its arrival.
    process.nextTick(flushHead, res);
  }

  #pass(chunk: Buffer): void {
    const { reader } = this.#input;
    this.#firstPartMs ??= this.#input.monotonicMs();
    if (!this.#input.isStreamed) {
      this.#passLarge(chunk);
      return;
    }
    const bytes = reader === undefined ? chunk : reader.push(chunk);
    if (bytes !== undefined) this.#write(bytes);
    if (reader !== undefined && reader.forwardedBytes - this.#lookedAtBytes > lookBytes) {
      this.#look(reader);
    }
  }

  /** Asks whether the call may go on; a stream that may not is ended in the provider's own shape by whoever waits for it. */
  #look(reader: StreamReader): void {
    this.#lookedAtBytes = reader.forwardedBytes;
    if (this.#input.progress?.(reader) === false) this.#stop("exhausted");
  }

  #keep(chunk: Buffer): void {
    this.#parts.push(chunk);
    if (this.#bytes <= this.#input.answerBytesMax) return;
    this.#beginPassing();
    const last = this.#parts.pop();
    for (const part of this.#parts) this.#write(part);
    this.#parts = last === undefined ? [] : [last];
  }

  /** The newest part is always held back. */
  #passLarge(chunk: Buffer): void {
    const [held] = this.#parts;
    if (held !== undefined) this.#write(held);
    this.#parts = [chunk];
  }

  #write(bytes: Buffer): void {
    const { res } = this.#input;
    if (res.destroyed || res.write(bytes) || this.#pausedSinceMs !== 0) return;
    this.#pausedSinceMs = this.#input.monotonicMs();
    this.#controller?.pause();
    res.once("drain", () => {
      this.#pausedSinceMs = 0;
      this.#controller?.resume();
    });
  }

  #stop(end: "left" | "exhausted"): void {
    if (this.#isOver) return;
    this.#finish(end);
    this.#controller?.abort(end === "left" ? clientGone : grantExhausted);
  }

  #finish(end: UpstreamAnswer["end"], error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const [first] = this.#parts;
    this.#input.end({
      end,
      error,
      wasSent: this.#isSent,
      httpStatus: this.#status,
      head: this.#head,
      isPassed: this.#isPassing,
      kept: this.#parts.length === 1 && first !== undefined ? first : Buffer.concat(this.#parts),
      bytes: this.#bytes,
      stream: this.#endStream(),
      firstPartMs: this.#input.isStreamed ? this.#firstPartMs : undefined,
    });
  }

  #endStream(): EndedStream | undefined {
    const { reader } = this.#input;
    return reader !== undefined && this.#isPassing ? { reader, ...reader.end() } : undefined;
  }
}

function flushHead(res: ServerResponse): void {
  if (!res.destroyed && !res.writableEnded) res.flushHeaders();
}

function rawList(controller: Dispatcher.DispatchController): RawHeaders {
  return Array.isArray(controller.rawHeaders) ? controller.rawHeaders : [];
}

/** Bytes of a stream between two looks: some 500 tokens in either dialect, and more than a short answer has. */
const lookBytes = 16_384;
const noHead: AnswerHead = Object.freeze({ passed: [], contentType: "" });
const clientGone = new Error("the client left");
const grantExhausted = new Error("the reservation is used up");
