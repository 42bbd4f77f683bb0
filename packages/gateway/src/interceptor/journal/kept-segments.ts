import { rm } from "node:fs/promises";
import type { Segment } from "./segment.ts";

/** The full files of a journal, oldest first, until Billing has answered for all they hold. */
export class KeptSegments {
  #segments: Segment[];
  #bytes: number;

  constructor(segments: readonly Segment[]) {
    this.#segments = [...segments];
    this.#bytes = segments.reduce((sum, segment) => sum + segment.length, 0);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The oldest file; undefined when there is none. */
  get oldest(): Segment | undefined {
    return this.#segments[0];
  }

  add(segment: Segment): void {
    this.#segments.push(segment);
    this.#bytes += segment.length;
  }

  /** The file that holds a position, or the first one after it; undefined when all lie before. */
  at(position: number): Segment | undefined {
    return this.#segments.find((segment) => position < segment.base + segment.length);
  }

  /** Deletes the files that lie before the position and hold no attempt that still runs. */
  trim(acknowledged: number): void {
    if (this.#segments.length === 0) return;
    const kept: Segment[] = [];
    for (const segment of this.#segments) {
      if (segment.openIntents > 0 || segment.base + segment.length > acknowledged) {
        kept.push(segment);
      } else {
        this.#bytes -= segment.length;
        // A file that stays behind is shipped again after a restart, which changes nothing.
        rm(segment.path, { force: true }).catch(() => undefined);
      }
    }
    this.#segments = kept;
  }
}
