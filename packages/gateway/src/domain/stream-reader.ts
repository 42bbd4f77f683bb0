import type { Dialect } from "./call.ts";
import { createSseCutter, cutSseEvent, endsSseEvent } from "./sse-cutter.ts";
import { createStreamContent, readEvents, type StreamContent } from "./stream-content.ts";
import { createStreamNews, readNews, reportUsage, type StreamError } from "./stream-news.ts";
import { holdsNews } from "./stream-sense.ts";
import type { UsageReport } from "./usage-report.ts";

/** How a stream came out. */
export type StreamOutcome = {
  readonly usage: UsageReport;
  /** The provider's end marker was seen: the answer is whole. */
  readonly ended: boolean;
  /** The provider broke off with an error after its 200. */
  readonly error: StreamError | undefined;
  /** Why the answer ended, in the provider's word. */
  readonly finish: string | undefined;
  /** The provider's own id of the answer. */
  readonly upstreamId: string | undefined;
};

/** Starts reading one streamed answer. With `stripUsage` the client never sees the usage chunk it did not ask for. */
export function createStreamReader(
  dialect: Dialect,
  options: { readonly stripUsage: boolean },
): StreamReader {
  return new StreamReader(dialect, options.stripUsage);
}

/**
 * Reads one server-sent stream as it passes. Bytes go on untouched and in whole events; nothing is decoded that need not
 * be. The end marker, or an error, is kept back until `end`, so that the caller can make the outcome durable before the last
 * byte. Chunks are kept by reference for a while: the caller must not write into a chunk it has pushed.
 */
export class StreamReader {
  /** Bytes passed on so far. Cheap; a trigger for asking `outputTokensSoFar`. */
  forwardedBytes = 0;

  readonly #dialect: Dialect;
  readonly #stripUsage: boolean;
  readonly #cutter = createSseCutter();
  readonly #news: ReturnType<typeof createStreamNews>;
  readonly #content = createStreamContent();
  /** Passed on, and not read into the content yet. */
  #unread: Buffer[] = [];
  #unreadBytes = 0;
  /** The event that has begun and not ended. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  /** The event is too large to keep: it is passed on as it comes, unread, up to its end. */
  #isOversized = false;
  #isDropped = false;
  /** From the end marker on, everything waits for `end`. */
  #isHolding = false;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(dialect: Dialect, stripUsage: boolean) {
    this.#dialect = dialect;
    this.#stripUsage = stripUsage;
    this.#news = createStreamNews(dialect);
  }

  /** Takes the next bytes from upstream; answers the bytes that the client may have now, if any. */
  push(chunk: Buffer): Buffer | undefined {
    const isPlain = this.#begunBytes === 0 && !this.#cutter.afterCr && !this.#isHolding;
    if (isPlain && !this.#isOversized && endsSseEvent(chunk) && !holdsNews(chunk)) {
      this.#keep(chunk);
      this.forwardedBytes += chunk.length;
      return chunk;
    }
    return this.#pushByEvent(chunk);
  }

  /**
   * Ends the reading, whether the stream ended or broke. Answers the bytes still owed to the client, to be sent once the
   * outcome is durable (dropped when the client is gone), and the outcome. A second call owes nothing more.
   */
  end(): { readonly held: Buffer; readonly outcome: StreamOutcome } {
    if (this.#begunBytes > 0) {
      // No empty line at the very end: some servers leave it out, and a broken stream stops anywhere.
      this.#isHolding = true;
      this.#finishEvent(Buffer.concat(this.#begun), []);
    }
    const held = Buffer.concat(this.#held);
    this.#held = [];
    const usage = reportUsage(this.#news);
    if (usage.kind !== "reported") this.content();
    const outcome: StreamOutcome = {
      usage,
      ended: this.#news.ended,
      error: this.#news.error,
      finish: this.#lastFinish() ?? this.#content.finish,
      upstreamId: this.#news.upstreamId ?? this.#content.id,
    };
    return { held, outcome };
  }

  /** What the client has been given so far, read on demand: for estimates, and to end a stream cleanly. */
  content(): Readonly<StreamContent> {
    for (const events of this.#unread) readEvents(this.#content, this.#dialect, events);
    this.#unread = [];
    this.#unreadBytes = 0;
    return this.#content;
  }

  /** A rough count of the tokens passed on so far, for checkpoints: four bytes of text make one. Reads what is unread. */
  outputTokensSoFar(): number {
    return Math.ceil(this.content().textBytes / 4);
  }

  #pushByEvent(chunk: Buffer): Buffer | undefined {
    const passing: Buffer[] = [];
    let from = 0;
    const isBetween = this.#begunBytes === 0 && !this.#isOversized;
    if (isBetween && this.#cutter.afterCr && chunk[0] === lf) {
      // The LF of a CRLF that was cut in two shares the fate of the event it ends.
      from = 1;
      this.#cutter.afterCr = false;
      if (!this.#isDropped) this.#pass(chunk.subarray(0, 1), passing);
    }
    let isBatchTried = false;
    while (from < chunk.length) {
      if (!isBatchTried && this.#begunBytes === 0) {
        isBatchTried = true;
        from = this.#passBatch(chunk, from, passing);
        continue;
      }
      const cut = cutSseEvent(this.#cutter, chunk, from);
      const end = cut === -1 ? chunk.length : cut;
      this.#take(chunk.subarray(from, end), cut !== -1, passing);
      from = end;
    }
    const [first] = passing;
    if (first === undefined) return undefined;
    const bytes = passing.length === 1 ? first : Buffer.concat(passing);
    this.forwardedBytes += bytes.length;
    return bytes;
  }

  /** Passes on, in one piece, all whole events left in the chunk, if none of them holds news; answers where it came to. */
  #passBatch(chunk: Buffer, from: number, passing: Buffer[]): number {
    if (this.#isOversized || this.#cutter.afterCr || this.#isHolding) return from;
    const end = chunk.lastIndexOf("\n\n", undefined, "latin1") + 2;
    if (end < from + 2) return from;
    const events = chunk.subarray(from, end);
    if (holdsNews(events)) return from;
    this.#keep(events);
    passing.push(events);
    return end;
  }

  /** Takes a piece of one event; the piece that ends it decides what becomes of the whole. */
  #take(piece: Buffer, isEnd: boolean, passing: Buffer[]): void {
    if (this.#isOversized) {
      this.#isOversized = !isEnd;
      this.#pass(piece, passing);
      return;
    }
    this.#begun.push(piece);
    this.#begunBytes += piece.length;
    if (!isEnd && this.#begunBytes <= eventBytesMax) return;
    const event = this.#begun.length === 1 ? piece : Buffer.concat(this.#begun);
    if (isEnd) {
      this.#finishEvent(event, passing);
      return;
    }
    this.#begun = [];
    this.#begunBytes = 0;
    this.#isOversized = true;
    this.#isDropped = false;
    this.#pass(event, passing);
  }

  #finishEvent(event: Buffer, passing: Buffer[]): void {
    this.#begun = [];
    this.#begunBytes = 0;
    const kind = readNews(this.#news, event);
    this.#isDropped = kind === "usage" && this.#stripUsage;
    if (this.#isDropped) return;
    if (kind === "last") this.#isHolding = true;
    else this.#keep(event);
    this.#pass(event, passing);
  }

  /** Passes bytes on, or keeps them for the end. What follows an end marker is kept up to a bound, and then dropped. */
  #pass(bytes: Buffer, passing: Buffer[]): void {
    if (!this.#isHolding) {
      passing.push(bytes);
    } else if (this.#heldBytes + bytes.length <= heldBytesMax) {
      this.#held.push(bytes);
      this.#heldBytes += bytes.length;
    }
  }

  #keep(events: Buffer): void {
    this.#unread.push(events);
    this.#unreadBytes += events.length;
    if (this.#unreadBytes > unreadBytesMax) this.content();
  }

  /** Looks for the finish in the last chunks, without reading the whole stream for it. */
  #lastFinish(): string | undefined {
    const name = this.#dialect === "openai" ? '"finish_reason":"' : '"stop_reason":"';
    for (const events of this.#unread.slice(-4).reverse()) {
      const text = events.toString("latin1");
      const at = text.lastIndexOf(name);
      const end = at === -1 ? -1 : text.indexOf('"', at + name.length);
      if (end !== -1) return text.slice(at + name.length, end);
    }
    return undefined;
  }
}

/** An event larger than this is passed on unread: no usage is that large, an inline image may be. */
const eventBytesMax = 1_048_576;

/** Bytes kept from the end marker on; twice the largest event, so that one never closes the door on the marker. */
const heldBytesMax = 2 * eventBytesMax;

/** Bytes kept by reference before they are read into the content: an answer of some 400 chunks is never read. */
const unreadBytesMax = 131_072;

const lf = 10;
