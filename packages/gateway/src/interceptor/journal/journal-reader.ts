import { type FileHandle, open } from "node:fs/promises";
import type { Journal } from "./journal.ts";
import type { Segment } from "./segment.ts";

/**
 * Reads durable records back, in order. Shipping reads the files instead of keeping outcomes in memory: what waits for
 * Billing is then bounded by the disk alone, and a restart and a busy hour take the same path. Recent records come from the
 * page cache.
 */
export class JournalReader {
  readonly #journal: Journal;
  #segment: Segment | undefined;
  #file: FileHandle | undefined;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Reads from a position into the buffer; returns how many bytes, 0 when nothing durable follows. Ends within one file. */
  async read(position: number, into: Buffer): Promise<number> {
    const segment = this.#journal.segmentAt(position);
    if (segment === undefined) return 0;
    const offset = position - segment.base;
    const length = Math.min(into.length, segment.durableLength - offset);
    const file = await this.#open(segment);
    const { bytesRead } = await file.read(into, 0, length, offset);
    return bytesRead;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#segment = undefined;
    await file?.close();
  }

  async #open(segment: Segment): Promise<FileHandle> {
    if (this.#segment === segment && this.#file !== undefined) return this.#file;
    await this.close();
    const file = await open(segment.path, "r");
    this.#file = file;
    this.#segment = segment;
    return file;
  }
}
