import { open, readFile } from "node:fs/promises";
import { JournalError } from "./journal-error.ts";
import {
  groupRecordBytes,
  readGroupRecord,
  recordHeaderBytes,
  recordType,
  soundRecordEnd,
} from "./journal-record.ts";
import { listSegments, type Segment, segmentPath } from "./segment.ts";

/** What a directory of segments holds. */
export type ScannedSegments = {
  /** In order, positions counted from 0. */
  readonly segments: readonly Segment[];
  /** The newest record of every attempt that has no outcome: a whole `UsageItem`, ready to be charged as interrupted. */
  readonly openItems: readonly Buffer[];
  /** Bytes of a torn tail that were cut off. */
  readonly tornBytes: number;
};

/**
 * Reads every segment, checks every record, and cuts a torn tail off the last one.
 *
 * A record that is not sound ends its segment. That is a torn tail only if nothing ever claimed the bytes to be durable;
 * otherwise charges are missing, and this throws CORRUPT with the file and offset rather than go on without them.
 */
export async function scanSegments(directory: string): Promise<ScannedSegments> {
  const segments: Segment[] = [];
  const openItems = new Map<string, Buffer>();
  const durableLengths = new Map<number, number>();
  const tails: FileTail[] = [];
  let base = 0;
  let tornBytes = 0;
  for (const sequence of await listSegments(directory)) {
    const path = segmentPath(directory, sequence);
    const bytes = await readFile(path);
    const length = scanRecords(bytes, openItems, durableLengths);
    const rest = bytes.subarray(length);
    claimsBeyondDamage(rest, durableLengths);
    tornBytes += writtenLength(rest);
    if (rest.length > 0) tails.push({ path, length });
    segments.push({ sequence, path, base, length, durableLength: length, openIntents: 0 });
    base += length;
  }
  // Nothing is cut before the whole journal is known to be sound: a refusal leaves the evidence as it was.
  assertWhole(segments, durableLengths);
  for (const tail of tails) await cutFile(tail);
  return { segments, openItems: [...openItems.values()], tornBytes };
}

/** Reads sound records from the start; returns where they end. */
function scanRecords(
  bytes: Buffer,
  openItems: Map<string, Buffer>,
  durableLengths: Map<number, number>,
): number {
  let at = 0;
  for (;;) {
    const end = soundRecordEnd(bytes, at);
    if (end === 0) return at;
    const type = bytes[at + 8];
    if (type === recordType.group) raiseClaim(durableLengths, bytes, at);
    else {
      const payload = bytes.subarray(at + recordHeaderBytes, end);
      const id = itemKey(payload);
      // Copied: a slice would keep the whole file in memory.
      if (type === recordType.outcome) openItems.delete(id);
      else openItems.set(id, Buffer.from(payload));
    }
    at = end;
  }
}

/** Finds group records after a damaged one: their claims tell whether the damage is to durable bytes. */
function claimsBeyondDamage(rest: Buffer, durableLengths: Map<number, number>): void {
  const lengthOfGroup = Buffer.alloc(4);
  lengthOfGroup.writeUInt32LE(groupRecordBytes - recordHeaderBytes);
  for (let at = rest.indexOf(lengthOfGroup); at !== -1; at = rest.indexOf(lengthOfGroup, at + 1)) {
    if (rest[at + 8] !== recordType.group) continue;
    if (soundRecordEnd(rest, at) !== 0) raiseClaim(durableLengths, rest, at);
  }
}

function raiseClaim(durableLengths: Map<number, number>, bytes: Buffer, at: number): void {
  const claim = readGroupRecord(bytes, at);
  const known = durableLengths.get(claim.sequence) ?? 0;
  if (claim.length > known) durableLengths.set(claim.sequence, claim.length);
}

function assertWhole(segments: readonly Segment[], durableLengths: Map<number, number>): void {
  for (const { sequence, path, length } of segments) {
    const durable = durableLengths.get(sequence) ?? 0;
    if (durable <= length) continue;
    throw new JournalError(
      "CORRUPT",
      `${path}: no sound record at offset ${length}, though ${durable} bytes were durable. ` +
        "Usage recorded after that offset would be lost. Restore the file, or move it away to accept the loss.",
    );
  }
}

/** The attempt's id as a key: the first field of every item, `0a 10` and 16 bytes. */
function itemKey(payload: Buffer): string {
  return payload.toString("latin1", 2, 18);
}

/** Bytes up to the last one that is not zero: files are zeroed in advance. */
function writtenLength(bytes: Buffer): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length;
}

type FileTail = { readonly path: string; readonly length: number };

/** Cuts a file durably, so that the next start finds only whole records before it finds newer segments. */
async function cutFile({ path, length }: FileTail): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.truncate(length);
    await file.sync();
  } finally {
    await file.close();
  }
}
