import { open, readdir } from "node:fs/promises";
import { join } from "node:path";

/** One file of the journal. */
export type Segment = {
  /** Grows by one a file; the file's name. */
  readonly sequence: number;
  readonly path: string;
  /** Where the segment begins in the whole journal of this process; positions are bytes. */
  readonly base: number;
  /** Bytes of records written; the file may be longer, zeroed in advance. */
  length: number;
  /** Bytes of records that survive a power cut. */
  durableLength: number;
  /** Calls in flight whose newest record is here. */
  openIntents: number;
};

/** The path of a segment. */
export function segmentPath(directory: string, sequence: number): string {
  return join(directory, `${String(sequence).padStart(10, "0")}.journal`);
}

/** The sequences of the segments in a directory, ascending. */
export async function listSegments(directory: string): Promise<readonly number[]> {
  const names = await readdir(directory);
  return names
    .map((name) => /^(\d{10})\.journal$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

/**
 * Makes a segment's file, zeroed and durable, so that appending to it later changes no metadata: a sync of it costs a third
 * less, and cannot fail for want of space.
 */
export async function createSegmentFile(path: string, bytes: number): Promise<void> {
  const file = await open(path, "w");
  try {
    const zeros = Buffer.alloc(Math.min(bytes, zeroChunkBytes));
    for (let at = 0; at < bytes; at += zeros.length) {
      await file.write(zeros, 0, Math.min(zeros.length, bytes - at), at);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const opened = await open(directory, "r");
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

const zeroChunkBytes = 1 << 20;
