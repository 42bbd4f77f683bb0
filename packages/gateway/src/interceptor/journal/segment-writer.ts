import { closeSync, fdatasync, openSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createSegmentFile, type Segment, segmentPath, syncDirectory } from "./segment.ts";

/**
 * The file that is being written, and the next one, made ready in the background. Writes go to the page cache at once;
 * `sync` makes them durable. A segment that is left behind has been synced whole, so that only the newest can be torn.
 */
export class SegmentWriter {
  readonly #directory: string;
  readonly #segmentBytes: number;
  #fd: number;
  #current: Segment;
  #next: Promise<void> | undefined;

  private constructor(options: SegmentWriterOptions, current: Segment) {
    this.#directory = options.directory;
    this.#segmentBytes = options.segmentBytes;
    this.#current = current;
    this.#fd = openSync(current.path, "r+");
  }

  /** Makes the first file. `sequence` is above every one there is. */
  static async open(
    options: SegmentWriterOptions,
    first: { readonly sequence: number; readonly base: number },
  ): Promise<SegmentWriter> {
    await makeFile(options, first.sequence);
    return new SegmentWriter(options, newSegment(options.directory, first));
  }

  get current(): Segment {
    return this.#current;
  }

  /** Whether the current file has had its fill. */
  get isFull(): boolean {
    return this.#current.length >= this.#segmentBytes;
  }

  /** Writes to the page cache. Throws what the disk says; nothing may be written after that. */
  write(bytes: Buffer, length: number): void {
    const { length: from } = this.#current;
    let done = 0;
    while (done < length) done += writeSync(this.#fd, bytes, done, length - done, from + done);
    this.#current.length += length;
    if (this.#next === undefined && this.#current.length * 2 > this.#segmentBytes) this.#prepare();
  }

  /** Makes everything written so far durable. Never call it again after it failed: the kernel may have dropped the pages. */
  sync(done: (error: Error | null) => void): void {
    const segment = this.#current;
    const { length } = segment;
    fdatasync(this.#fd, (error) => {
      if (error === null) segment.durableLength = length;
      done(error);
    });
  }

  /** Goes on to the next file; the current one must be durable whole. Throws when the disk has no room for another. */
  async rotate(): Promise<Segment> {
    this.#prepare();
    try {
      await this.#next;
    } finally {
      this.#next = undefined;
    }
    const { sequence, base, length } = this.#current;
    const next = newSegment(this.#directory, { sequence: sequence + 1, base: base + length });
    closeSync(this.#fd);
    this.#fd = openSync(next.path, "r+");
    this.#current = next;
    return next;
  }

  async close(): Promise<void> {
    closeSync(this.#fd);
    if (this.#next === undefined) return;
    await this.#next.catch(() => undefined);
    await rm(segmentPath(this.#directory, this.#current.sequence + 1), { force: true });
  }

  #prepare(): void {
    if (this.#next !== undefined) return;
    const options = { directory: this.#directory, segmentBytes: this.#segmentBytes };
    this.#next = makeFile(options, this.#current.sequence + 1);
    // Seen by `rotate`; until then it is nobody's rejection.
    this.#next.catch(() => undefined);
  }
}

export type SegmentWriterOptions = { readonly directory: string; readonly segmentBytes: number };

async function makeFile(options: SegmentWriterOptions, sequence: number): Promise<void> {
  await createSegmentFile(segmentPath(options.directory, sequence), options.segmentBytes);
  await syncDirectory(options.directory);
}

function newSegment(
  directory: string,
  { sequence, base }: { readonly sequence: number; readonly base: number },
): Segment {
  const path = segmentPath(directory, sequence);
  return { sequence, path, base, length: 0, durableLength: 0, openIntents: 0 };
}
