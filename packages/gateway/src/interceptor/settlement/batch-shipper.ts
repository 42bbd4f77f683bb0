import type { Journal } from "../journal/journal.ts";
import { JournalReader } from "../journal/journal-reader.ts";
import { gatherTimeMs } from "./gather-time.ts";
import { frameBatch } from "./settle-frames.ts";

/** What a shipper needs. */
export type BatchShipperDeps = {
  readonly journal: Journal;
  readonly write: (frame: Uint8Array) => void;
  /** Where to begin: everything before has been answered. */
  readonly from: number;
  /** Called when the journal cannot be read back. */
  readonly onError: (error: unknown) => void;
};

/**
 * Sends the journal's outcomes over one connection, a bounded number of batches ahead of Billing's answers.
 *
 * Most of what a batch costs, it costs whatever its size, here and in Billing and in the database. So outcomes gather the
 * longer the faster they come (`gatherTimeMs`), unless a great many wait.
 */
export class BatchShipper {
  readonly #deps: BatchShipperDeps;
  readonly #reader: JournalReader;
  readonly #chunk = Buffer.allocUnsafe(chunkBytes);
  #window: SentBatch[] = [];
  #sequence = 0;
  #sending = 0;
  #lastGathered = 0;
  #cursor: number;
  #answered: number;
  #timer: NodeJS.Timeout | undefined;
  #pumping: Promise<void> | undefined;
  #isClosed = false;

  constructor(deps: BatchShipperDeps) {
    this.#deps = deps;
    this.#reader = new JournalReader(deps.journal);
    this.#cursor = deps.from;
    this.#answered = deps.from;
  }

  /** Every outcome before this position has been answered. */
  get answered(): number {
    return this.#answered;
  }

  /** States that the journal may have more to send. */
  wake(): void {
    if (this.#isClosed || this.#pumping !== undefined || this.#window.length >= windowMax) return;
    if (this.#deps.journal.durablePosition - this.#cursor >= gatherBytesMax) {
      this.flush();
      return;
    }
    this.#timer ??= setTimeout(() => this.flush(), gatherTimeMs(this.#lastGathered));
  }

  /** Sends what is there at once. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pump();
  }

  /** Takes Billing's answer to the oldest batch; false when it is the answer to any other, which ends the connection. */
  acknowledge(sequence: number, itemsCount: number): boolean {
    const [oldest] = this.#window;
    if (oldest?.sequence !== sequence || oldest.itemsCount !== itemsCount) return false;
    this.#window.shift();
    this.#answered = this.#window.length === 0 ? this.#cursor : oldest.end;
    if (this.#cursor < this.#deps.journal.durablePosition) this.wake();
    return true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#pumping;
    await this.#reader.close();
  }

  #pump(): void {
    if (this.#pumping !== undefined || this.#isClosed) return;
    this.#pumping = this.#send().then(
      () => {
        this.#pumping = undefined;
        // Whatever became durable after the last read.
        if (this.#cursor < this.#deps.journal.durablePosition) this.wake();
      },
      (error: unknown) => {
        this.#pumping = undefined;
        this.#isClosed = true;
        this.#deps.onError(error);
      },
    );
  }

  async #send(): Promise<void> {
    this.#sending = 0;
    await this.#sendAll();
    // Of the whole departure: its last batch may hold no more than what came while the first was read.
    if (this.#sending > 0) this.#lastGathered = this.#sending;
  }

  /** What is there now: what comes meanwhile gathers for the next departure. */
  async #sendAll(): Promise<void> {
    const end = this.#deps.journal.durablePosition;
    while (!this.#isClosed && this.#window.length < windowMax && this.#cursor < end) {
      const bytes = await this.#reader.read(this.#cursor, this.#chunk);
      if (bytes === 0 || this.#isClosed) return;
      const records = this.#chunk.subarray(0, bytes);
      let at = 0;
      while (at < bytes && this.#window.length < windowMax) {
        const used = this.#sendBatch(records.subarray(at));
        if (used === 0) break;
        at += used;
      }
      if (at === 0) throw new Error(`no whole record at journal position ${this.#cursor}`);
    }
  }

  #sendBatch(records: Buffer): number {
    const sequence = this.#sequence + 1;
    const { frame, itemsCount, usedBytes } = frameBatch(records, sequence, itemsMax);
    this.#cursor += usedBytes;
    if (frame === undefined) {
      if (this.#window.length === 0) this.#answered = this.#cursor;
      return usedBytes;
    }
    this.#sequence = sequence;
    this.#sending += itemsCount;
    this.#window.push({ sequence, itemsCount, end: this.#cursor });
    this.#deps.write(frame);
    return usedBytes;
  }
}

type SentBatch = {
  readonly sequence: number;
  readonly itemsCount: number;
  /** Where the batch ends in the journal. */
  readonly end: number;
};

const itemsMax = 1000;
/** Batches that may wait for their answer: 32,000 calls, more than a second's worth of the fastest gateway. */
const windowMax = 32;
/** A thousand calls of half a kilobyte. */
const chunkBytes = 512 * 1024;
/** More than gathers in a second: what is above it leaves at once. */
const gatherBytesMax = 16 * chunkBytes;
